/// `dev down`: nothing of the loopback cluster is left, neither process nor file.
struct DownVerb {
    private let cluster: LoopbackCluster

    init(_ arguments: Arguments) throws { cluster = try LoopbackCluster(arguments, try Workspace.find()) }

    func run() throws {
        guard Files.exists(cluster.directory) else { return Console.step("no cluster in \(cluster.directory)") }
        let count = cluster.nodes.count
        try cluster.remove()
        Console.step("removed \(count) nodes and \(cluster.directory)")
    }
}
