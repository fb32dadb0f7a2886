package import ClusterModel

/// Where clients reach a database.
package struct EndpointObject: Codable, Sendable, Hashable {
    /// `<database>:<n>`
    package var uid: String
    package var databaseID: DatabaseID?
    /// Addresses that serve it.
    package var addresses: [String]
    package var addressType: String
    package var dnsName: String
    package var port: UInt16
    package var proxyPolicy: String
    package var preferredIPType: String
    package var preferredEndpointType: String

    private enum CodingKeys: String, CodingKey {
        case uid
        case databaseID = "bdb_uid"
        case addresses = "addr"
        case addressType = "addr_type"
        case dnsName = "dns_name"
        case port
        case proxyPolicy = "proxy_policy"
        case preferredIPType = "oss_cluster_api_preferred_ip_type"
        case preferredEndpointType = "oss_cluster_api_preferred_endpoint_type"
    }

    package init(_ database: DatabaseConfiguration, nodes: [NodeID: NodeRecord], clusterName: String) {
        uid = "\(database.id):1"
        databaseID = database.id
        addresses = database.endpoint.nodes.compactMap { nodes[$0]?.address }
        addressType = "external"
        dnsName = "redis-\(database.endpoint.port).\(clusterName)"
        port = database.endpoint.port
        proxyPolicy = database.policy.proxyPolicy.rawValue
        preferredIPType = "internal"
        preferredEndpointType = "ip"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        uid = try container.decodeIfPresent(String.self, forKey: .uid) ?? ""
        databaseID = try container.decodeIfPresent(DatabaseID.self, forKey: .databaseID)
        addresses = try container.decodeIfPresent([String].self, forKey: .addresses) ?? []
        addressType = try container.decodeIfPresent(String.self, forKey: .addressType) ?? "external"
        dnsName = try container.decodeIfPresent(String.self, forKey: .dnsName) ?? ""
        port = try container.decode(UInt16.self, forKey: .port)
        proxyPolicy = try container.decodeIfPresent(String.self, forKey: .proxyPolicy) ?? ProxyPolicy.single.rawValue
        preferredIPType = try container.decodeIfPresent(String.self, forKey: .preferredIPType) ?? "internal"
        preferredEndpointType = try container.decodeIfPresent(String.self, forKey: .preferredEndpointType) ?? "ip"
    }
}
