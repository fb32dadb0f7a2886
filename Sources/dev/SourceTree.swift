/// What lint looks at: the files that belong to the repository, and the targets of its manifest.
struct SourceTree {
    struct SwiftFile {
        /// Relative to the root.
        let path: String
        let lines: [Substring]

        var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    }

    let root: String
    /// All, relative to the root.
    let files: [String]
    let swiftFiles: [SwiftFile]
    let manifest: ManifestReading

    init(_ workspace: Workspace) throws {
        root = workspace.root
        // Files that git does not know and ignores (builds, editors' leavings) are nobody's business.
        let listed = try Command(
            "git", "-C", workspace.root, "ls-files", "--cached", "--others", "--exclude-standard"
        ).outputOrFail()
        files = listed.split(separator: "\n").map(String.init).filter { Files.exists(workspace.root + "/" + $0) }
        swiftFiles = files.filter { $0.hasSuffix(".swift") }.map { path in
            let text = Files.text("\(workspace.root)/\(path)") ?? ""
            return SwiftFile(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false))
        }
        manifest = ManifestReading(Files.text(workspace.root + "/Package.swift") ?? "")
    }
}
