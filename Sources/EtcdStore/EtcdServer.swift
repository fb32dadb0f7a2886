package import WatchdogProtocol

/// How this node's member of the store is to be run. Values only; the watchdog runs it.
///
/// The member's data is made at its first start from `initialCluster` and `state`; later starts find it in
/// `dataDirectory` and take no notice of the two.
package struct EtcdServer: Hashable, Sendable {
    package static let clientPort = 9379
    package static let peerPort = 9380
    /// By this name the watchdog keeps it.
    package static let processName = "etcd"

    /// Whether the first start makes a new store or joins one that expects it.
    package enum State: String, Sendable {
        case new, existing
    }

    package struct Peer: Hashable, Sendable {
        package var name: String
        package var url: String
        package init(name: String, url: String) {
            self.name = name
            self.url = url
        }
    }

    package var name: String
    /// IPv4 address of the node.
    package var address: String
    package var dataDirectory: String
    /// Holds `ca.crt`, `node.crt`, `node.key`; etcd reads certificates anew for every connection, so they may be
    /// rotated.
    package var pkiDirectory: String
    /// Every member this one is to know at its first start, itself included.
    package var initialCluster: [Peer]
    package var state: State
    /// Members of stores with different tokens don't talk to each other, even when they find each other.
    package var token: String

    package init(
        name: String, address: String, dataDirectory: String, pkiDirectory: String, initialCluster: [Peer],
        state: State, token: String = "tarn"
    ) {
        self.token = token
        self.name = name
        self.address = address
        self.dataDirectory = dataDirectory
        self.pkiDirectory = pkiDirectory
        self.initialCluster = initialCluster
        self.state = state
    }

    package static func clientURL(address: String) -> String { "https://\(address):\(clientPort)" }
    package static func peerURL(address: String) -> String { "https://\(address):\(peerPort)" }

    package var arguments: [String] {
        let cluster = initialCluster.map { "\($0.name)=\($0.url)" }.joined(separator: ",")
        return [
            "--name=\(name)", "--data-dir=\(dataDirectory)",
            "--listen-peer-urls=\(Self.peerURL(address: address))",
            "--initial-advertise-peer-urls=\(Self.peerURL(address: address))",
            "--listen-client-urls=\(Self.clientURL(address: address))",
            "--advertise-client-urls=\(Self.clientURL(address: address))",
            "--initial-cluster=\(cluster)", "--initial-cluster-state=\(state.rawValue)",
            "--initial-cluster-token=\(token)",
        ] + security + Self.tuning
    }

    private var security: [String] {
        ["", "peer-"].flatMap { kind in
            [
                "--\(kind)client-cert-auth", "--\(kind)trusted-ca-file=\(pkiDirectory)/ca.crt",
                "--\(kind)cert-file=\(pkiDirectory)/node.crt", "--\(kind)key-file=\(pkiDirectory)/node.key",
            ]
        }
    }

    private static let tuning = [
        // etcd looks for the address that a peer's connection comes from among the names in its certificate. On
        // loopback and behind address translation that address is another one; the cluster's authority still has to
        // have signed the certificate.
        "--experimental-peer-skip-client-san-verification",
        // Median write outage after a leader's death 0.70 s; the defaults 100/1000 gave 1.27 s (reference/platform.md).
        "--heartbeat-interval=50", "--election-timeout=500",
        // A member whose packets arrive and that gets none would else stand for election again and again, and each time
        // make the others, who could elect one of themselves, begin anew.
        "--pre-vote",
        // A watch that was away for less goes on without a new snapshot.
        "--auto-compaction-mode=periodic", "--auto-compaction-retention=10m",
        // Raft entries kept in memory before a snapshot; etcd's 100000 cost 100 MB and more with our value sizes.
        "--snapshot-count=5000",
        // Configuration only: 100 databases are below 1 MiB. At the quota the store takes no more writes.
        "--quota-backend-bytes=\(1 << 30)",
        // One plan may touch every database.
        "--max-txn-ops=4096", "--max-request-bytes=\(8 << 20)",
        "--enable-v2=false", "--logger=zap", "--log-level=warn", "--log-outputs=stderr",
    ]

    package var environment: [String: String] {
        // Idle member of three, 50/500 ms, busy machine: 4.6 % of a core and 34 MiB; without the two 5.6 % and 41 MiB.
        // One thread of Go carries thousands of requests a second, and a configuration store sees tens.
        var environment = ["GOGC": "50", "GOMAXPROCS": "1"]
        #if arch(arm64)
            // etcd 3.4 refuses to start on it unless told so.
            environment["ETCD_UNSUPPORTED_ARCH"] = "arm64"
        #endif
        return environment
    }

    /// - Parameter executable: absolute path of `etcd`.
    package func specification(executable: String) -> ProcessSpecification {
        ProcessSpecification(
            name: Self.processName, executable: executable, arguments: arguments, environment: environment,
            restart: .always, openFileLimit: 65_536, outOfMemoryScore: -900,
            stopTimeoutMilliseconds: 5_000, stopPhase: 40)
    }
}
