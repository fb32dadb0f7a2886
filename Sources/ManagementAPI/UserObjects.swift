package import ClusterModel

/// A management user. The password never comes back.
package struct UserObject: Codable, Sendable, Hashable {
    package var uid: UserID
    package var email: String
    package var name: String
    package var role: String
    package var roleUIDs: [Int]
    package var authMethod: String
    package var passwordIssueDate: String
    package var status: String

    private enum CodingKeys: String, CodingKey {
        case uid, email, name, role
        case roleUIDs = "role_uids"
        case authMethod = "auth_method"
        case passwordIssueDate = "password_issue_date"
        case status
    }

    package init(_ user: UserRecord) {
        uid = user.id
        email = user.email
        name = user.name
        role = user.role
        roleUIDs = Self.roleUID[user.role].map { [$0] } ?? []
        authMethod = "regular"
        passwordIssueDate = user.passwordChangedAt.description
        status = "active"
    }

    /// The reference system's built-in roles in its order.
    private static let roleUID = [
        "admin": 1, "cluster_member": 2, "cluster_viewer": 3, "db_member": 4, "db_viewer": 5, "none": 6,
    ]

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        uid = try container.decode(UserID.self, forKey: .uid)
        email = try container.decode(String.self, forKey: .email)
        name = try container.decodeIfPresent(String.self, forKey: .name) ?? ""
        role = try container.decodeIfPresent(String.self, forKey: .role) ?? "none"
        roleUIDs = try container.decodeIfPresent([Int].self, forKey: .roleUIDs) ?? []
        authMethod = try container.decodeIfPresent(String.self, forKey: .authMethod) ?? "regular"
        passwordIssueDate = try container.decodeIfPresent(String.self, forKey: .passwordIssueDate) ?? ""
        status = try container.decodeIfPresent(String.self, forKey: .status) ?? "active"
    }
}

/// Asks for an access token in exchange for Basic credentials.
package struct AuthorizeRequest: Codable, Sendable, Hashable {
    /// Seconds, 1...86400; 300 when not given.
    package var ttl: Int?

    package init(ttl: Int? = nil) {
        self.ttl = ttl
    }
}

package struct AuthorizeResponse: Codable, Sendable, Hashable {
    package var accessToken: String

    private enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
    }

    package init(accessToken: String) {
        self.accessToken = accessToken
    }
}

/// There is no licence to buy: always valid, without limits. Clients of the reference system ask for it.
package struct LicenseObject: Codable, Sendable, Hashable {
    package var shardsInUse: Int
    package var isExpired: Bool

    package init(shardsInUse: Int) {
        self.shardsInUse = shardsInUse
        isExpired = false
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: JSONKey.self)
        shardsInUse = try container.decodeIfPresent(Int.self, forKey: JSONKey("ram_shards_in_use")) ?? 0
        isExpired = try container.decodeIfPresent(Bool.self, forKey: JSONKey("expired")) ?? false
    }

    package func encode(to encoder: any Encoder) throws {
        let object: JSONValue = [
            "key": "", "license": "Apache-2.0", "cluster_name": nil, "owner": nil,
            "activation_date": "2020-01-01T00:00:00Z", "expiration_date": "9999-12-31T00:00:00Z",
            "expired": .bool(isExpired), "features": [], "shards_limit": nil,
            "ram_shards_in_use": .integer(Int64(shardsInUse)), "ram_shards_limit": nil, "flash_shards_in_use": 0,
            "flash_shards_limit": nil,
        ]
        try object.encode(to: encoder)
    }
}
