/// `dev format`: lays out the sources as `dev lint` wants them.
struct FormatVerb {
    init(_ arguments: Arguments) {}

    func run() throws {
        let root = try Workspace.find().root
        try Command(
            "swift", "format", "--in-place", "--parallel", "--recursive", "\(root)/Sources", "\(root)/Tests"
        ).outputOrFail()
    }
}
