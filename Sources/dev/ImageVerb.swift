/// `dev image`: the node image in the engine that runs here.
struct ImageVerb {
    private let isApproved: Bool

    init(_ arguments: Arguments) { isApproved = arguments.has("yes") }

    func run() throws {
        let workspace = try Workspace.find()
        try DebianPackages.forContainers.ensure(isApproved: isApproved)
        let release = Release(workspace: workspace)
        let package = try release.make(isApproved: isApproved)
        let engine = ContainerEngine(workspace: workspace)
        try engine.ensureRunning()
        defer { engine.stopIfOurs() }
        Console.out(try NodeImage(workspace: workspace).build(release: release, package: package))
    }
}
