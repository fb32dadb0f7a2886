/// Runs `swift build` with live progress, its whole output kept in a log.
///
/// `swift run` closes all its descriptors before it becomes dev, its lock on `.build` among them, so a build inside
/// is free to take the same scratch path or another one.
struct SwiftBuild {
    let workspace: Workspace
    /// Shown and used for the name of the log.
    let name: String
    let arguments: [String]

    func run() throws {
        var command = Command(
            [
                "swift", "build", "--package-path", workspace.root,
                "--explicit-target-dependency-import-check", "error",
            ] + arguments)
        command.onLine = { line in
            if line.hasPrefix("["), line.contains("/") { Console.progress(line) }
        }
        let result = try command.run()
        let log = "\(workspace.build)/dev-stamps/\(name).log"
        try Files.write(result.output + result.errors, to: log)
        guard !result.succeeded else { return }
        // Errors are printed where they happen, followed by the steps that were still running.
        let lines = (result.output + "\n" + result.errors).split(separator: "\n", omittingEmptySubsequences: true)
        let errors = lines.filter { $0.contains("error:") }
        let shown = errors.isEmpty ? Array(lines.suffix(20)) : Array(errors.prefix(20))
        throw Failure(
            .command, "the build failed (whole output: \(log)):\n  " + shown.joined(separator: "\n  "))
    }

    /// - Throws: ``Failure`` when there is no usable compiler.
    static func checkCompiler() throws -> String {
        let result: Command.Result
        do {
            result = try Command("swift", "--version").run()
        } catch let failure where failure is Failure {
            throw Failure(.environment, "no `swift` in PATH; install Swift 6.2 or later: https://swift.org/install")
        }
        let line = result.output.split(separator: "\n").first.map(String.init) ?? ""
        let version = line.split(separator: " ").drop { $0 != "version" }.dropFirst().first ?? ""
        let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        guard result.succeeded, numbers.count == 2, (numbers[0], numbers[1]) >= (6, 2) else {
            throw Failure(.environment, "Swift 6.2 or later is needed; `swift --version` says: \(line)")
        }
        return line
    }
}
