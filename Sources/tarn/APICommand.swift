import ArgumentParser
import Glibc
import HTTPTransport
import ManagementAPI
import ManagementClient
import NIOPosix

/// What the verbs that talk to the API have in common.
enum APICommand {
    /// A verb's connection and the way it answers.
    struct Session {
        let api: APIClient
        let isJSON: Bool

        /// The address that was asked first; marks the node one is on.
        var host: String { api.endpoints[0].host }

        func show(_ json: some Encodable, text: () throws -> String) throws {
            if isJSON { try LocalCommand.printJSON(json) } else { print(try text()) }
        }

        /// Waits for an action if that is wanted, with a progress line.
        func follow(_ action: String?, _ options: WaitOptions) async throws {
            guard let action, !options.noWait else { return }
            let line = ProgressLine()
            defer { line.clear() }
            _ = try await api.wait(for: action, limit: options.timeout.duration) { now in
                line.show("\(now.name) \(now.objectName): \(now.status) \(now.progress) % \(now.state)")
            }
        }
    }

    static func run(
        _ connection: ConnectionOptions, _ output: JSONOption, _ body: (Session) async throws -> Void
    ) async throws {
        try await reporting(json: output.json) {
            let configuration = try ClientConfiguration(try connection.sources())
            if connection.insecure {
                LocalCommand.printToStandardError("tarn: --insecure: nobody checks that this is your cluster")
            }
            let (http, api) = try configuration.client(group: MultiThreadedEventLoopGroup.singleton) { user in
                Terminal.askSecret("Password of \(user): ")
            }
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(Session(api: api, isJSON: output.json)))
            } catch {
                result = .failure(error)
            }
            await http.shutdown()
            try result.get()
        }
    }

    /// Turns a failure into one line, or into JSON, and its exit status.
    static func reporting(json: Bool, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as ClientFailure {
            if json {
                try LocalCommand.printJSON(
                    JSONValue.object([
                        "error": .object(["code": .string(failure.code), "message": .string(failure.message)])
                    ]))
            } else {
                LocalCommand.printToStandardError("Error: \(failure.message) [\(failure.code)]")
            }
            throw ExitCode(failure.kind.rawValue)
        }
    }
}
