package import ClusterModel
import Primitives

/// The cluster as a whole. What we don't have yet (mail, licences) stands there with the reference system's defaults,
/// so that its clients find the keys they read.
package struct ClusterObject: Codable, Sendable, Hashable {
    package var name: String
    /// ISO 8601.
    package var createdTime: String
    package var softwareVersion: String
    /// SHA-256 of the cluster's CA certificate (DER) in hexadecimal; what join tokens pin.
    package var authorityDigest: String

    package init(_ cluster: ClusterRecord) {
        name = cluster.name
        createdTime = cluster.createdAt.description
        softwareVersion = ReleaseVersion.current
        authorityDigest = cluster.authorityDigest
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: JSONKey.self)
        name = try container.decode(String.self, forKey: JSONKey("name"))
        createdTime = try container.decodeIfPresent(String.self, forKey: JSONKey("created_time")) ?? ""
        softwareVersion = try container.decodeIfPresent(String.self, forKey: JSONKey("software_version")) ?? ""
        authorityDigest = try container.decodeIfPresent(String.self, forKey: JSONKey("ca_sha256")) ?? ""
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: JSONKey.self)
        for (key, value) in Self.constants { try container.encode(value, forKey: JSONKey(key)) }
        try container.encode(name, forKey: JSONKey("name"))
        try container.encode(createdTime, forKey: JSONKey("created_time"))
        try container.encode(softwareVersion, forKey: JSONKey("software_version"))
        try container.encode(authorityDigest, forKey: JSONKey("ca_sha256"))
    }

    private static let constants: [String: JSONValue] = [
        "rack_aware": false, "email_alerts": false, "cnm_https_port": 9443, "http_support": false,
        "handle_redirects": true, "ccs_internode_encryption": true, "min_control_TLS_version": "1.2",
        "min_data_TLS_version": "1.2", "password_complexity": false, "cm_session_timeout_minutes": 15,
        "reserved_ports": [], "block_cluster_changes": false, "upgrade_mode": false,
        "availability_lag_tolerance_ms": 100,
        "default_provisioned_redis_version": .string(RedisVersion.provisioned),
    ]
}

/// The redis-server that new databases get.
package enum RedisVersion {
    /// Major and minor number, as clients ask for it.
    package static let provisioned = "7.0"
    package static let supported: JSONValue = [
        [
            "db_type": "redis", "version": .string(provisioned), "redis_version": .string(provisioned),
            "major": true,
        ]
    ]

    static func isSupported(_ version: String) -> Bool {
        version == "7" || version == provisioned || version.hasPrefix(provisioned + ".")
    }
}
