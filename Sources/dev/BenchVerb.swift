import Glibc

/// `dev bench proxy`: builds the proxy and the program `bench`, which starts everything it compares, and becomes it.
///
/// Its options are the program's own and pass as they are: `dev bench proxy --help` lists them.
struct BenchVerb {
    private let workspace: Workspace
    private var options: [String]
    private let isApproved: Bool

    init(_ arguments: [String]) throws {
        workspace = try Workspace.find()
        options = arguments.filter { $0 != "--yes" }
        isApproved = options.count != arguments.count
        guard options.first == "proxy" else { throw Failure(.usage, "dev bench proxy: the only one there is") }
    }

    func run() throws {
        try (DebianPackages.forBuilding + .forPackaging + .forBenchmarks).ensure(isApproved: isApproved)
        _ = try SwiftBuild.checkCompiler()
        for product in ["tarn-proxy", "bench"] {
            Console.step("building \(product)")
            // The release's own build, so that what is measured is what is shipped.
            try SwiftBuild(
                workspace: workspace, name: "bench-\(product)",
                arguments: [
                    "-c", "release", "--static-swift-stdlib", "--scratch-path", workspace.release, "--product", product,
                ]
            ).run()
        }
        Console.clearProgress()
        let network = options.firstIndex(of: "--network").map { options[($0 + 1)...].first ?? "" } ?? ""
        let directory = workspace.build + "/bench" + network
        try Files.remove(directory)
        try become(
            workspace.programs + "/bench",
            options + ["--programs", workspace.programs, "--directory", directory])
    }

    /// The program takes this process's place: its output, its signals and its exit code are dev's then.
    private func become(_ program: String, _ arguments: [String]) throws {
        signal(SIGPIPE, SIG_DFL)
        let pointers = ([program] + arguments).map { strdup($0) } + [nil]
        execv(program, pointers)
        throw Failure(.environment, "cannot run \(program): \(String(cString: strerror(errno)))")
    }
}
