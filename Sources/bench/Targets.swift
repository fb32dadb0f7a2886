/// The table of the issue: CPU per request of the proxy divided by the peer's, floor and goal.
struct Target {
    let title: String
    let get: Load?
    let set: Load?
    let limits: [Peer: (floor: Double, goal: Double)]

    enum Peer: String, CaseIterable {
        case nutcracker, predixy, haproxy

        /// Relays know nothing of shards; the others are compared with two.
        var shards: Int { self == .haproxy ? 1 : 2 }
        var name: String { self == .nutcracker ? "twemproxy" : rawValue }
    }

    private init(
        _ title: String, get: Load?, set: Load?, _ nutcracker: (Double, Double), _ predixy: (Double, Double),
        _ haproxy: (Double, Double)
    ) {
        self.title = title
        self.get = get
        self.set = set
        limits = [.nutcracker: nutcracker, .predixy: predixy, .haproxy: haproxy]
    }

    static let all: [Target] = [
        Target(
            "64 B, pipeline 1", get: Load(.get, 64), set: Load(.set, 64), (0.90, 0.60), (1.00, 0.70), (0.65, 0.45)),
        Target(
            "64 B, pipeline 16", get: Load(.get, 64, pipeline: 16), set: Load(.set, 64, pipeline: 16),
            (0.27, 0.15), (0.75, 0.45), (0.70, 0.50)),
        Target(
            "64 B, pipeline 64", get: Load(.get, 64, pipeline: 64), set: Load(.set, 64, pipeline: 64),
            (0.10, 0.06), (0.48, 0.33), (1.00, 0.75)),
        Target(
            "1 KiB, pipeline 64", get: Load(.get, 1024, pipeline: 64), set: Load(.set, 1024, pipeline: 64),
            (0.22, 0.15), (0.70, 0.45), (0.82, 0.60)),
        Target("GET 100 KiB", get: Load(.get, Load.large), set: nil, (1.00, 0.75), (0.95, 0.65), (0.68, 0.50)),
        Target("SET 100 KiB", get: nil, set: Load(.set, Load.large), (0.85, 0.60), (0.67, 0.50), (0.70, 0.50)),
    ]

    /// Throughput of GET at depth 64, ours divided by the peer's, at least.
    static let throughput: [(system: SystemName, floor: Double)] = [
        (SystemName(.nutcracker, shards: 2), 4), (SystemName(.predixy, shards: 2), 1.3),
        (SystemName(.haproxy, shards: 1), 1.2), (SystemName(.direct, shards: 1), 0.95),
    ]
    static let throughputLoad = Load(.get, 64, pipeline: 64)
}
