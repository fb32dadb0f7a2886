/// The body of `POST /v1/bootstrap/create_cluster`, `join_cluster` and `recover_cluster`. Keys that we don't know are
/// ignored, as clients of the reference system send many.
package struct BootstrapRequest: Codable, Sendable, Hashable {
    package struct Cluster: Codable, Sendable, Hashable {
        /// Fully qualified name of the cluster to create.
        package var name: String?
        /// Addresses of nodes of the cluster to join.
        package var nodes: [String]?
        /// The lost node whose place the joiner takes.
        package var replacedNode: Int?

        private enum CodingKeys: String, CodingKey {
            case name, nodes
            case replacedNode = "replace_node"
        }

        package init(name: String? = nil, nodes: [String]? = nil, replacedNode: Int? = nil) {
            self.name = name
            self.nodes = nodes
            self.replacedNode = replacedNode
        }
    }

    package struct Credentials: Codable, Sendable, Hashable {
        package var username: String?
        package var password: String?
        /// `tarn1.…`, for a join. No reference system has it; there a join takes the administrator's password.
        package var token: String?

        package init(username: String? = nil, password: String? = nil, token: String? = nil) {
            self.username = username
            self.password = password
            self.token = token
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

        package init(rack: String) {
            identity = Identity(rackID: rack)
        }
    }

    /// For `recover_cluster`.
    package struct Recovery: Codable, Sendable, Hashable {
        /// The cluster's name, as proof that somebody has read what would be lost; nil: only say what would be done.
        package var confirm: String?

        package init(confirm: String?) {
            self.confirm = confirm
        }
    }

    package var action: String?
    package var cluster: Cluster?
    package var recovery: Recovery?
    /// The administrator to make, or the token to join with.
    package var credentials: Credentials?
    package var node: Node?

    package init(action: String, cluster: Cluster?, credentials: Credentials? = nil, node: Node? = nil) {
        self.action = action
        self.cluster = cluster
        self.credentials = credentials
        self.node = node
    }

    package static func recover(confirm: String?) -> BootstrapRequest {
        var request = BootstrapRequest(action: "recover_cluster", cluster: nil)
        request.recovery = Recovery(confirm: confirm)
        return request
    }

    package static func create(name: String, email: String, password: String, rack: String? = nil) -> BootstrapRequest {
        BootstrapRequest(
            action: "create_cluster", cluster: Cluster(name: name),
            credentials: Credentials(username: email, password: password), node: rack.map(Node.init(rack:)))
    }

    package static func join(
        addresses: [String], token: String, replacing node: Int? = nil, rack: String? = nil
    ) -> BootstrapRequest {
        BootstrapRequest(
            action: "join_cluster", cluster: Cluster(nodes: addresses, replacedNode: node),
            credentials: Credentials(token: token), node: rack.map(Node.init(rack:)))
    }
}
