/// `dev fuzz`: hostile bytes for what reads them in the proxy, for as long as one likes.
///
/// An optimised build with the checks of a release: what traps there would end a proxy.
struct FuzzVerb {
    private let arguments: Arguments
    private let workspace: Workspace

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        workspace = try Workspace.find()
    }

    func run() throws {
        let minutes = try arguments.number("minutes", in: 1...10_000) ?? 10
        Console.step("building tarn-fuzz")
        try SwiftBuild(
            workspace: workspace, name: "fuzz-build",
            arguments: [
                "-c", "release", "--static-swift-stdlib", "--scratch-path", workspace.release, "--product", "tarn-fuzz",
            ]
        ).run()
        var command = Command(["\(workspace.release)/release/tarn-fuzz", "--minutes", "\(minutes)"])
        for option in ["seed", "target"] {
            if let value = arguments.value(option) { command.arguments += ["--\(option)", value] }
        }
        command.limit = .seconds(minutes * 60 + 600)
        command.onLine = { Console.out($0) }
        if !(try command.run().succeeded) { throw TestsFailed() }
    }
}
