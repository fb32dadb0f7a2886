/// The body of `POST /v1/bdbs/<uid>/command`.
package struct CommandRequest: Codable, Sendable {
    package var command: String
    /// Texts; numbers are taken as they are written.
    package var arguments: [String]

    package init(_ command: String, arguments: [String] = []) {
        self.command = command
        self.arguments = arguments
    }

    private enum CodingKeys: String, CodingKey {
        case command
        case arguments = "args"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        command = try container.decode(String.self, forKey: .command)
        let values = try container.decodeIfPresent([JSONValue].self, forKey: .arguments) ?? []
        arguments = try values.map { value in
            switch value {
            case .string(let text): return text
            case .integer, .number: return value.text
            default:
                throw DecodingError.dataCorruptedError(
                    forKey: .arguments, in: container, debugDescription: "every argument has to be a text or a number")
            }
        }
    }

    /// What a command of the management API may be: it reads a bounded amount, or nothing at all. Everything else is
    /// for clients of the database.
    package static let allowed: Set<String> = [
        "PING", "ECHO", "DBSIZE", "INFO", "TIME", "GET", "MGET", "GETRANGE", "STRLEN", "EXISTS", "TYPE", "TTL", "PTTL",
        "HGET", "HMGET", "HLEN", "HEXISTS", "LINDEX", "LLEN", "LRANGE", "SCARD", "SISMEMBER", "ZCARD", "ZSCORE",
        "ZRANGE", "ZRANK", "XLEN", "BITCOUNT", "GETBIT",
    ]
}

package struct CommandResponse: Codable, Sendable {
    package var response: JSONValue

    package init(_ response: JSONValue) {
        self.response = response
    }
}

/// The answer of `GET /v1/local/node/master_healthcheck`.
package struct HealthCheckObject: Codable, Sendable {
    package var status: String

    package init(isActive: Bool) {
        status = isActive ? "active" : "inactive"
    }
}

extension JSONValue {
    /// An object with only the named keys, a list with only those of its objects. Unknown names are left out, as the
    /// reference system does.
    package func picking(_ keys: Set<String>) -> JSONValue {
        switch self {
        case .object(let members): .object(members.filter { keys.contains($0.key) })
        case .array(let values): .array(values.map { $0.picking(keys) })
        default: self
        }
    }
}
