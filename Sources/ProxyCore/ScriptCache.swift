/// Scripts that clients loaded into a database through this proxy, by their digest: a shard that restarted empty, or
/// came later, gets them when it is asked for one that it doesn't have.
package struct ScriptCache: Sendable {
    /// Above either of them the oldest are forgotten; clients load a script again when they hear NOSCRIPT.
    private static let maximumCount = 1000
    private static let maximumBytes = 8 << 20

    private var bodies: [[UInt8]: [UInt8]] = [:]
    /// Oldest first.
    private var digests: [[UInt8]] = []
    private var byteCount = 0

    package init() {}

    /// - Parameter digest: In lower case, as redis answers.
    package mutating func remember(_ digest: [UInt8], _ body: [UInt8]) {
        guard bodies[digest] == nil else { return }
        bodies[digest] = body
        digests.append(digest)
        byteCount += body.count
        while let oldest = digests.first, digests.count > Self.maximumCount || byteCount > Self.maximumBytes {
            byteCount -= bodies.removeValue(forKey: oldest)?.count ?? 0
            digests.removeFirst()
        }
    }

    package func body(of digest: [UInt8]) -> [UInt8]? { bodies[digest] }

    /// SCRIPT FLUSH.
    package mutating func forgetAll() { self = ScriptCache() }
}

/// A request for a function that its shard doesn't have.
package struct FunctionReplay: Sendable {
    /// In the order of the routes.
    package let shard: Int
    package let request: [UInt8]
    package let isWrite: Bool

    package init(shard: Int, request: [UInt8], isWrite: Bool) {
        self.shard = shard
        self.request = request
        self.isWrite = isWrite
    }
}
