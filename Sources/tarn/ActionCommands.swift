import ArgumentParser
import ManagementAPI
import ManagementClient

struct ActionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "action", abstract: "Lists, watches and cancels long operations.",
        subcommands: [ActionListCommand.self, ActionWatchCommand.self, ActionCancelCommand.self])
}

struct ActionListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists operations, oldest first.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let raw = try await session.api.call("GET", "/v1/actions")
            let list: ActionList = try await session.api.get("/v1/actions")
            try session.show(raw) {
                var table = TextTable("ACTION", "NAME", "OBJECT", "STATUS", "PROGRESS", "STATE")
                for action in list.stateMachines {
                    table.add(
                        action.actionUID, action.name, action.objectName, action.status, "\(action.progress) %",
                        action.errorMessage ?? action.state)
                }
                return table.text
            }
        }
    }
}

struct ActionWatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Waits until an operation is over.",
        discussion: "With --json prints the operation once, at its end.")

    @Argument(help: "Id of the operation, see `tarn action list`.")
    var id: String

    @Option(help: "How long to wait, e.g. 30s or 5m; exit status 5 when it is over.")
    var timeout: Span = Span(seconds: 3600)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            if !session.isJSON { print("Monitoring \(id)") }
            let path = pathSegment(id)
            _ = try await session.api.wait(for: path, limit: timeout.duration) { now in
                if !session.isJSON { print("\(now.status) - \(now.progress) % \(now.state)") }
            }
            try session.show(try await session.api.call("GET", "/v1/actions/\(path)")) { "Done" }
        }
    }
}
