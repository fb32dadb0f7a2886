import Glibc

/// The network of a cluster whose nodes have addresses of their own: a namespace for each node, and one with the
/// switch between them, where the clients are.
///
///     tarn-<network>-node1 (.11) ──┐
///     tarn-<network>-node2 (.12) ──┼── bridge in tarn-<network>-switch (.1): clients, `tarn`
///     tarn-<network>-node3 (.13) ──┘
///
/// The bridge is not in the machine's own namespace, so its packet filter does not apply, and nothing gets out.
struct NodeNetwork: Sendable {
    /// First three numbers of the addresses.
    let network: String

    /// 198.18.0.0/15 is set aside for tests of networks (RFC 2544): nobody's own addresses are hidden.
    static let standard = "198.18.7"

    var hub: NetworkNamespace { NetworkNamespace(name: "tarn-\(network)-switch") }
    func namespace(_ node: Int) -> NetworkNamespace { NetworkNamespace(name: "tarn-\(network)-node\(node)") }
    func address(_ node: Int) -> String { "\(network).\(10 + node)" }
    /// Where the clients are.
    var clientAddress: String { network + ".1" }

    func make(of count: Int) throws {
        try run("netns", "add", hub.name)
        try runInHub("link", "set", "lo", "up")
        try runInHub("link", "add", "bridge", "type", "bridge")
        try runInHub("addr", "add", clientAddress + "/24", "dev", "bridge")
        try runInHub("link", "set", "bridge", "up")
        for node in 1...count {
            let name = namespace(node).name
            try run("netns", "add", name)
            try run("-n", name, "link", "set", "lo", "up")
            try run("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", port(node), "netns", hub.name)
            try runInHub("link", "set", port(node), "master", "bridge", "up")
            try run("-n", name, "addr", "add", address(node) + "/24", "dev", "eth0")
            try run("-n", name, "link", "set", "eth0", "up")
        }
    }

    /// Ends all that runs in there and removes it; also what an earlier run left. Fine to call again.
    func remove() throws {
        let marks = "tarn-\(network)-"
        for name in Files.list("/run/netns").filter({ $0.hasPrefix(marks) }) {
            let namespace = NetworkNamespace(name: name)
            // This thread may be in the one with the switch.
            try Self.end { namespace.pids.filter { $0 != Int(getpid()) } }
            try run("netns", "del", name)
        }
    }

    /// As when the power goes: all stops at once, then none of it is left.
    static func end(_ pids: () -> [Int]) throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            let left = pids()
            if left.isEmpty { return }
            for pid in left { kill(pid_t(pid), SIGSTOP) }
            for pid in left { kill(pid_t(pid), SIGKILL) }
            guard ContinuousClock.now < deadline else {
                throw Failure(.environment, "these processes don't end: \(left)")
            }
            usleep(2_000)
        }
    }

    // MARK: - Faults

    /// The cable of a node, for its peers and for clients.
    func setLink(_ node: Int, isUp: Bool) throws {
        try runInHub("link", "set", port(node), isUp ? "up" : "down")
    }

    enum Direction: Sendable {
        case into, outOf, both
    }

    /// Drops what passes between a node and these others. Clients still reach it: the worst case, since a node that is
    /// cut off from everybody can do no harm.
    func cut(_ node: Int, from others: [Int], _ direction: Direction) throws {
        var rules = ["*filter"]
        for other in others.map(address) {
            if direction != .outOf { rules.append("-A INPUT -s \(other) -j DROP") }
            if direction != .into { rules.append("-A OUTPUT -d \(other) -j DROP") }
        }
        let file = "/run/\(namespace(node).name).rules"
        try Files.write((rules + ["COMMIT", ""]).joined(separator: "\n"), to: file)
        defer { unlink(file) }
        // All rules take effect in one step.
        var command = Command("iptables-restore", "--noflush", "-w")
        command.input = .file(file)
        try namespace(node).entering(command).outputOrFail()
    }

    func heal(_ node: Int) throws {
        try namespace(node).entering(Command("iptables", "-w", "-F")).outputOrFail()
    }

    private func port(_ node: Int) -> String { "node\(node)" }

    private func run(_ arguments: String...) throws { try Command(["ip"] + arguments).outputOrFail() }

    private func runInHub(_ arguments: String...) throws {
        try Command(["ip", "-n", hub.name] + arguments).outputOrFail()
    }
}
