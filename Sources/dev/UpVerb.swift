/// `dev up`: from nothing to a cluster that holds real data; when it is there already, a check and a repair.
struct UpVerb {
    private let arguments: Arguments
    private let workspace: Workspace
    private let cluster: LoopbackCluster
    private let count: Int?

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        workspace = try Workspace.find()
        cluster = try LoopbackCluster(arguments, workspace)
        count = try arguments.number("nodes", in: 1...9)
    }

    func run() throws {
        let isApproved = arguments.has("yes")
        try (DebianPackages.forBuilding + .forPackaging + .forData).ensure(isApproved: isApproved)
        let release = Release(workspace: workspace)
        let package = try release.make(isApproved: isApproved)
        try ClusterRun(cluster: cluster, tarn: release.tarn, package: package, loadsData: !arguments.has("no-data"))
            .run(nodes: count)
        let description = try cluster.description()
        if arguments.has("json") { return Console.out(try description.json()) }
        Console.out(NextSteps.text(description))
    }
}
