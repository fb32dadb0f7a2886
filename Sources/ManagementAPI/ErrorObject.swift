/// The body of every refusal. `description` and `message` say the same: clients of the reference system read one or
/// the other.
package struct ErrorObject: Codable, Sendable, Hashable, Error {
    package var errorCode: String
    package var description: String
    package var message: String
    package var statusCode: Int

    package init(errorCode: String, description: String, statusCode: Int) {
        self.errorCode = errorCode
        self.description = description
        message = description
        self.statusCode = statusCode
    }

    private enum CodingKeys: String, CodingKey {
        case errorCode = "error_code"
        case description, message
        case statusCode = "status_code"
    }

    /// Lenient: a server between us and the API (a load balancer) has words of its own.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let description = try container.decodeIfPresent(String.self, forKey: .description)
        let message = try container.decodeIfPresent(String.self, forKey: .message)
        self.init(
            errorCode: try container.decodeIfPresent(String.self, forKey: .errorCode) ?? "unknown",
            description: description ?? message ?? "",
            statusCode: try container.decodeIfPresent(Int.self, forKey: .statusCode) ?? 0)
    }
}
