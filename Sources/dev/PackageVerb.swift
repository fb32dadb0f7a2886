/// `dev package`: the two files of a release.
struct PackageVerb {
    private let isApproved: Bool

    init(_ arguments: Arguments) { isApproved = arguments.has("yes") }

    func run() throws {
        let release = Release(workspace: try Workspace.find())
        let package = try release.make(isApproved: isApproved)
        for path in [release.tarn, package] { Console.out("\(path)  \(Files.size(path)) bytes") }
    }
}
