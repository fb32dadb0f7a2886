package import ClusterModel

/// A join token. `token`, the secret text, is there only in the answer to its making.
package struct TokenObject: Codable, Sendable, Hashable {
    package var id: String
    package var createdTime: String
    /// ISO 8601; nil: never.
    package var expirationTime: String?
    /// Nil: any number.
    package var usesLeft: Int?
    package var isRevoked: Bool
    package var createdBy: String
    package var token: String?

    private enum CodingKeys: String, CodingKey {
        case id
        case createdTime = "created_time"
        case expirationTime = "expiration_time"
        case usesLeft = "uses_left"
        case isRevoked = "revoked"
        case createdBy = "created_by"
        case token
    }

    package init(_ record: JoinTokenRecord, token: String? = nil) {
        id = record.id
        createdTime = record.createdAt.description
        expirationTime = record.expiresAt?.description
        usesLeft = record.usesLeft
        isRevoked = record.isRevoked
        createdBy = record.createdBy
        self.token = token
    }
}

/// Asks for a join token.
package struct TokenRequest: Codable, Sendable, Hashable {
    /// Seconds until it expires, 60 to ten years; nil: never.
    package var ttlSeconds: Int64?
    /// Nodes that may join with it, 1...10000; nil: any number.
    package var uses: Int?

    private enum CodingKeys: String, CodingKey {
        case ttlSeconds = "ttl_seconds"
        case uses
    }

    package init(ttlSeconds: Int64? = nil, uses: Int? = nil) {
        self.ttlSeconds = ttlSeconds
        self.uses = uses
    }
}
