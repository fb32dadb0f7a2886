/// What the connections to a shard are sorted by: a connection speaks one version of the protocol and has one logical
/// database selected, so sessions share upstreams only with their like.
package struct Lane: Hashable {
    /// Dense, so that a lane is an index into a table: even numbers speak RESP2, odd ones RESP3.
    package let index: UInt8

    /// Logical databases of an unsharded database, as redis-server has them by default. A sharded one has the first.
    package static let databaseCount = 16
    package static let count = 2 * databaseCount
    package static let resp2 = Lane(databaseIndex: 0, usesRESP3: false)
    package static let resp3 = Lane(databaseIndex: 0, usesRESP3: true)

    /// - Parameter databaseIndex: 0...15, what SELECT takes.
    package init(databaseIndex: Int, usesRESP3: Bool) {
        index = UInt8(databaseIndex * 2 + (usesRESP3 ? 1 : 0))
    }

    package init(index: Int) { self.index = UInt8(index) }

    package var usesRESP3: Bool { index & 1 == 1 }
    package var databaseIndex: Int { Int(index >> 1) }
}
