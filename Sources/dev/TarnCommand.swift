/// Calls the `tarn` program the way an operator does: command line and environment only.
struct TarnCommand {
    let program: String
    var environment: [String: String] = [:]

    func command(_ arguments: [String]) -> Command {
        var command = Command([program] + arguments)
        command.environment = environment
        command.limit = .seconds(120)
        return command
    }

    @discardableResult
    func run(_ arguments: String...) throws -> String { try command(arguments).outputOrFail() }

    func json(_ arguments: String...) throws -> JSONValue {
        try JSONValue(parsing: try command(arguments + ["--json"]).outputOrFail())
    }
}
