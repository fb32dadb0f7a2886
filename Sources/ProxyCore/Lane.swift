/// What the connections to a shard are sorted by: a connection speaks one version of the protocol and has one logical
/// database selected, so sessions share upstreams only with their like.
///
/// Connections that speak alike are the strands of a lane: the first is everybody's, the others carry the sessions that
/// ask for much at once.
@usableFromInline package struct Lane: Hashable, Sendable {
    /// Dense, so that a lane is an index into a table: even numbers speak RESP2, odd ones RESP3.
    @usableFromInline package let index: UInt8

    /// Logical databases of an unsharded database, as redis-server has them by default. A sharded one has the first.
    package static let databaseCount = 16
    /// Strands for sessions that ask for much.
    package static let bulkStrandCount = 4
    @inlinable static var strandLength: UInt8 { 32 }
    package static let count = (1 + bulkStrandCount) * Int(strandLength)
    package static let resp2 = Lane(databaseIndex: 0, usesRESP3: false)
    package static let resp3 = Lane(databaseIndex: 0, usesRESP3: true)

    /// The first strand.
    /// - Parameter databaseIndex: 0...15, what SELECT takes.
    package init(databaseIndex: Int, usesRESP3: Bool) {
        index = UInt8(databaseIndex * 2 + (usesRESP3 ? 1 : 0))
    }

    package init(index: Int) { self.index = UInt8(index) }

    @inlinable package var usesRESP3: Bool { index & 1 == 1 }
    package var databaseIndex: Int { Int(index % Self.strandLength) / 2 }
    @inlinable package var strand: Int { Int(index / Self.strandLength) }

    /// - Parameter number: 0 for the first, 1...``bulkStrandCount`` for the others.
    package func strand(_ number: Int) -> Lane {
        Lane(index: number * Int(Self.strandLength) + Int(index % Self.strandLength))
    }
}
