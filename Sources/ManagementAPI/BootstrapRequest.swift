/// The body of `POST /v1/bootstrap/create_cluster` and `join_cluster`. Keys that we don't know are ignored, as
/// clients of the reference system send many.
package struct BootstrapRequest: Codable, Sendable, Hashable {
    package struct Cluster: Codable, Sendable, Hashable {
        /// Fully qualified name of the cluster to create.
        package var name: String?
        /// Addresses of nodes of the cluster to join.
        package var nodes: [String]?

        package init(name: String? = nil, nodes: [String]? = nil) {
            self.name = name
            self.nodes = nodes
        }
    }

    package struct Credentials: Codable, Sendable, Hashable {
        package var username: String?
        package var password: String?

        package init(username: String?, password: String?) {
            self.username = username
            self.password = password
        }
    }

    package struct Node: Codable, Sendable, Hashable {
        package struct Identity: Codable, Sendable, Hashable {
            /// IPv4 address for the node; nil: the one it was installed with.
            package var address: String?
            package var rackID: String?

            private enum CodingKeys: String, CodingKey {
                case address = "addr"
                case rackID = "rack_id"
            }

            package init(address: String? = nil, rackID: String? = nil) {
                self.address = address
                self.rackID = rackID
            }
        }

        package var identity: Identity?

        package init(identity: Identity?) {
            self.identity = identity
        }
    }

    package var action: String?
    package var cluster: Cluster?
    /// The administrator to make. A join takes none: the token speaks for the node.
    package var credentials: Credentials?
    package var node: Node?
    /// `tarn1.…`, for a join.
    package var joinToken: String?

    private enum CodingKeys: String, CodingKey {
        case action, cluster, credentials, node
        case joinToken = "join_token"
    }

    package init(
        action: String, cluster: Cluster?, credentials: Credentials? = nil, node: Node? = nil,
        joinToken: String? = nil
    ) {
        self.action = action
        self.cluster = cluster
        self.credentials = credentials
        self.node = node
        self.joinToken = joinToken
    }

    package static func create(name: String, email: String, password: String) -> BootstrapRequest {
        BootstrapRequest(
            action: "create_cluster", cluster: Cluster(name: name),
            credentials: Credentials(username: email, password: password))
    }

    package static func join(addresses: [String], token: String) -> BootstrapRequest {
        BootstrapRequest(action: "join_cluster", cluster: Cluster(nodes: addresses), joinToken: token)
    }
}
