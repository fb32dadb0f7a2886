import Glibc

@testable import dev

/// What `dev test` says of the release under test.
enum TestedRelease {
    static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    static var package: String? { variable("TARN_PACKAGE") }
    static var tarn: String? { variable("TARN_RELEASE").map { $0 + "/tarn" } }
    static var image: String? { variable("TARN_NODE_IMAGE") }

    static let isThere = package != nil && tarn != nil
    static let hasImage = image != nil
    static let whyNoImage = variable("TARN_NO_CONTAINERS") ?? "TARN_NODE_IMAGE is not set; `swift run dev test` sets it"

    /// A cluster on 127.0.21.x with the database `demo`, for the time of `body`.
    static func withCluster(of count: Int, _ body: (LoopbackCluster) throws -> Void) throws {
        let workspace = try Workspace.find()
        let cluster = LoopbackCluster(directory: workspace.build + "/system-test-cluster", network: "127.0.21")
        try cluster.remove()
        defer { try? cluster.remove() }
        try ClusterRun(cluster: cluster, tarn: tarn ?? "", package: package ?? "", loadsData: false).run(nodes: count)
        try body(cluster)
    }

    /// Asks until there is an answer. The error names what was waited for.
    static func eventually<Value>(
        within limit: Duration = .seconds(20), _ what: String, _ look: () throws -> Value?
    ) throws -> Value {
        let deadline = ContinuousClock.now + limit
        var last = ""
        while ContinuousClock.now < deadline {
            do {
                if let value = try look() { return value }
            } catch let failure as Failure {
                last = failure.message
            }
            usleep(20_000)
        }
        throw Failure(.product, "waited \(limit.tenths) s for \(what) \(last)")
    }
}
