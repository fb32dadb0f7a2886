/// Which program with how many shards behind it, and how it reaches them.
struct SystemName: Hashable {
    enum Kind: String, CaseIterable {
        case tarn
        /// Tarn without busy polling.
        case blocking
        /// Tarn without io_uring.
        case epoll
        case direct, haproxy, nutcracker, predixy

        var isTarn: Bool { flags != nil }

        /// What `tarn-proxy` is started with; nil: it is another program.
        var flags: [String]? {
            switch self {
            case .tarn: []
            case .blocking: ["--busy-poll", "0"]
            case .epoll: ["--driver", "epoll"]
            case .direct, .haproxy, .nutcracker, .predixy: nil
            }
        }
    }

    var kind: Kind
    var shards: Int
    /// The peers reach shards by TCP, as they are usually set up; Tarn by unix sockets, as its nodes do.
    var usesUnixSockets: Bool

    init(_ kind: Kind, shards: Int, usesUnixSockets: Bool = false) {
        self.kind = kind
        self.shards = shards
        self.usesUnixSockets = usesUnixSockets || kind.isTarn
    }

    /// `tarn/2`, `haproxy-unix/1`.
    init?(_ text: String) {
        let parts = text.split(separator: "/")
        let isUnix = parts.first?.hasSuffix("-unix") ?? false
        guard let word = parts.first, let kind = Kind(rawValue: String(isUnix ? word.dropLast(5) : word)),
            let shards = parts.count == 1 ? 1 : Int(parts[1]), (1...64).contains(shards),
            shards == 1 || kind != .haproxy
        else { return nil }
        self.init(kind, shards: shards, usesUnixSockets: isUnix)
    }

    var text: String { kind.rawValue + (usesUnixSockets && !kind.isTarn ? "-unix" : "") + "/\(shards)" }
}
