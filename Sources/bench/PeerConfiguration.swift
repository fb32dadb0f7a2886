import Glibc

/// How the other proxies are set up: one thread each, nothing logged, no limits in the way.
struct PeerConfiguration {
    let name: SystemName
    let address: Address
    /// `host:port` or the path of a socket.
    let shards: [String]
    let directory: String

    var file: String { directory + "/configuration" }
    private var listen: String { "\(address.host):\(address.port)" }

    func command(predixy: String?) -> [String] {
        switch name.kind {
        case .haproxy: ["haproxy", "-f", file, "-db"]
        case .nutcracker: ["nutcracker", "-c", file, "-a", address.host, "-s", "\(address.port + 100)"]
        case .predixy: [predixy ?? "predixy", file]
        case .tarn, .blocking, .epoll, .direct: []
        }
    }

    var text: String {
        switch name.kind {
        case .haproxy: haproxy
        case .nutcracker: nutcracker
        case .predixy: predixy
        case .tarn, .blocking, .epoll, .direct: ""
        }
    }

    /// As many as its descriptors allow, two for each.
    private static var relayedConnections: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return min(12_000, Int(limit.rlim_cur) / 2 - 200)
    }

    private var haproxy: String {
        """
        global
          maxconn \(Self.relayedConnections)
          nbthread 1
        defaults
          mode tcp
          timeout connect 2s
          timeout client 1h
          timeout server 1h
        frontend f
          bind \(listen) backlog 4096
          default_backend b
        backend b
          server s1 \(name.usesUnixSockets ? "unix@" + shards[0] : shards[0])

        """
    }

    private var nutcracker: String {
        let servers = shards.enumerated().map { index, place in
            name.usesUnixSockets ? "   - \(place):1 s\(index)" : "   - \(place):1"
        }
        return """
            pool:
              listen: \(listen)
              hash: crc16
              distribution: modula
              redis: true
              auto_eject_hosts: false
              backlog: 4096
              servers:
            \(servers.joined(separator: "\n"))

            """
    }

    private var predixy: String {
        let groups = shards.enumerated().map { index, place in
            "    Group shard\(1000 + index) {\n        + \(place)\n    }"
        }
        return """
            Name bench
            Bind \(listen)
            WorkerThreads 1
            ClientTimeout 0
            LogVerbSample 0
            LogDebugSample 0
            LogInfoSample 0
            LogNoticeSample 0
            LogWarnSample 1
            LogErrorSample 1
            Log \(directory)/predixy.log
            Authority {
                Auth {
                    Mode write
                }
            }
            StandaloneServerPool {
                Databases 1
                Hash crc16
                Distribution modula
                RefreshMethod fixed
                RefreshInterval 1
                ServerFailureLimit 10
                ServerRetryTimeout 1
            \(groups.joined(separator: "\n"))
            }

            """
    }
}
