/// A program to run, with all that decides how.
struct Command {
    enum Input {
        case nothing
        case file(String)
    }

    /// The program first; without a slash it is looked up in PATH.
    var arguments: [String]
    /// Added to dev's own environment.
    var environment: [String: String] = [:]
    var input = Input.nothing
    /// The program is ended, and the command counts as failed, when it takes longer.
    var limit: Duration?
    /// Called for every line of both outputs as it comes.
    var onLine: ((String) -> Void)?

    init(_ arguments: [String]) { self.arguments = arguments }

    init(_ arguments: String...) { self.arguments = arguments }

    struct Result {
        var output: String
        var errors: String
        /// Exit code; 128 + N when signal N ended it, as a shell says it.
        var status: Int32
        var duration: Duration

        var succeeded: Bool { status == 0 }
    }

    /// Runs it to its end and keeps both outputs.
    func run() throws -> Result {
        let child = try ChildProcess(self)
        try ChildProcess.wait(for: [child])
        return child.result
    }

    /// Runs it and gives its output.
    ///
    /// - Throws: ``Failure`` with the command, its exit code and the end of what it printed.
    @discardableResult
    func outputOrFail() throws -> String {
        let result = try run()
        guard result.succeeded else { throw failure(result) }
        return result.output
    }

    /// Runs all at once and waits for all, also when one fails.
    static func runTogether(_ commands: [Command]) throws {
        let children = try commands.map { try ChildProcess($0) }
        try ChildProcess.wait(for: children)
        for (command, child) in zip(commands, children) where !child.result.succeeded {
            throw command.failure(child.result)
        }
    }

    func failure(_ result: Result) -> Failure {
        let said = (result.errors + result.output).split(separator: "\n").suffix(20).joined(separator: "\n  ")
        let name = arguments.joined(separator: " ")
        return Failure(.command, "`\(name)` ended with exit code \(result.status):\n  \(said)")
    }
}
