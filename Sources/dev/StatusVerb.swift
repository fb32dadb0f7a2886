/// `dev status`: what runs of the loopback cluster.
struct StatusVerb {
    private let cluster: LoopbackCluster
    private let isJSON: Bool

    init(_ arguments: Arguments) throws {
        cluster = try LoopbackCluster(arguments, try Workspace.find())
        isJSON = arguments.has("json")
    }

    func run() throws {
        guard cluster.exists else {
            throw Failure(.environment, "no cluster in \(cluster.directory); `swift run dev up` makes one")
        }
        if isJSON { return Console.out(try cluster.description().json()) }
        for node in cluster.nodes {
            let programs = NodeProcesses(prefix: cluster.prefix(node)).byProgram().sorted { $0.key < $1.key }
            let shown = programs.map { "\($0.key) \($0.value.map(String.init).joined(separator: ","))" }
            Console.out(
                "node \(node)  \(cluster.address(node))  \(shown.isEmpty ? "stopped" : shown.joined(separator: "  "))")
        }
        guard cluster.stoppedNodes != cluster.nodes else {
            return Console.out("nothing runs; `swift run dev up` starts it again")
        }
        Console.out(try cluster.client.run("status"))
    }
}
