import ArgumentParser
import ManagementAPI
import ManagementClient

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Makes, lists and revokes join tokens.",
        subcommands: [TokenCreateCommand.self, TokenListCommand.self, TokenRevokeCommand.self])
}

struct TokenCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a token with which nodes join; it is shown this once.")

    @Option(help: "How long it is good for, e.g. 1h, 7d; 'never' for no end.")
    var ttl = "24h"

    @Option(help: "How many nodes may join with it. Default: any number.")
    var uses: Int?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func validate() throws {
        guard ttl == "never" || DurationText.seconds(ttl) != nil else {
            throw ValidationError("--ttl takes a span such as 1h or 7d, or 'never'; not '\(ttl)'.")
        }
        if let uses, uses < 1 { throw ValidationError("--uses takes 1 or more.") }
    }

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let request = TokenRequest(ttlSeconds: DurationText.seconds(ttl), uses: uses)
            let raw = try await session.api.call("POST", "/v1/join_tokens", body: request)
            try session.show(raw) {
                guard let token = raw["token"]?.stringValue else {
                    throw ClientFailure(.refused, "unexpected_answer", "the API made a token and did not show it")
                }
                return token
            }
        }
    }
}

struct TokenListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists join tokens, not their secrets.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let raw = try await session.api.call("GET", "/v1/join_tokens")
            let tokens: [TokenObject] = try await session.api.get("/v1/join_tokens")
            try session.show(raw) {
                var table = TextTable("ID", "CREATED", "EXPIRES", "USES_LEFT", "REVOKED", "CREATED_BY")
                for token in tokens {
                    table.add(
                        token.id, token.createdTime, token.expirationTime ?? "never",
                        token.usesLeft.map(String.init) ?? "any", token.isRevoked ? "yes" : "no", token.createdBy)
                }
                return table.text
            }
        }
    }
}

struct TokenRevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Makes a join token useless; nodes that joined with it stay.")

    @Argument(help: "Id of the token, see `tarn token list`.")
    var id: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            try await session.api.call("DELETE", "/v1/join_tokens/\(pathSegment(id))")
            try session.show(["id": id, "status": "revoked"]) { "token \(id) is revoked" }
        }
    }
}

/// A value as one part of a path: what could end the part or the path is percent-encoded.
func pathSegment(_ text: String) -> String {
    let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
    return text.utf8.map { byte in
        if plain.contains(byte) { return String(UnicodeScalar(byte)) }
        let digits = String(byte, radix: 16, uppercase: true)
        return "%" + (digits.count == 1 ? "0" : "") + digits
    }.joined()
}

extension JSONValue {
    subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { return members[key] }
        return nil
    }

    var stringValue: String? {
        if case .string(let text) = self { return text }
        return nil
    }
}
