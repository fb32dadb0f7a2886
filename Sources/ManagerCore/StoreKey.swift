package import ClusterModel

/// Where a record lives in the cluster configuration store.
package enum StoreKey: Hashable, Sendable {
    case cluster, head, authority
    /// Leased: gone when its holder stops renewing. The value is the holder's node id.
    case leader
    case node(NodeID)
    case database(DatabaseID)
    case action(ActionID)
    case user(UserID)
    case token(String)
    /// A vote: the second node has heard nothing of the first one for longer than its serving lease can last.
    case suspicion(NodeID, by: NodeID)
    /// Only in a cluster whose store was made anew from a snapshot.
    case recovery

    /// All keys of a cluster start with this.
    package static let prefix = "/tarn/"

    package var path: String {
        switch self {
        case .cluster: Self.prefix + "cluster"
        case .head: Self.prefix + "head"
        case .authority: Self.prefix + "authority"
        case .leader: Self.prefix + "leader"
        case .node(let id): Self.prefix + "nodes/\(id)"
        case .database(let id): Self.prefix + "databases/\(id)"
        case .action(let id): Self.prefix + "actions/\(id)"
        case .user(let id): Self.prefix + "users/\(id)"
        case .token(let id): Self.prefix + "tokens/\(id)"
        case .recovery: Self.prefix + "recovery"
        case .suspicion(let node, let voter): Self.prefix + "suspicions/\(node)/\(voter)"
        }
    }

    /// Nil for a path that this release doesn't know; a newer release may have written it, so readers skip it.
    package init?(path: String) {
        guard path.hasPrefix(Self.prefix) else { return nil }
        let parts = path.dropFirst(Self.prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: self.init(single: parts[0])
        case 2 where !parts[1].isEmpty: self.init(kind: parts[0], id: String(parts[1]))
        case 3 where parts[0] == "suspicions":
            guard let node = Int(parts[1]), let voter = Int(parts[2]) else { return nil }
            self = .suspicion(NodeID(node), by: NodeID(voter))
        default: return nil
        }
    }

    private init?(single name: Substring) {
        switch name {
        case "cluster": self = .cluster
        case "head": self = .head
        case "authority": self = .authority
        case "leader": self = .leader
        case "recovery": self = .recovery
        default: return nil
        }
    }

    private init?(kind: Substring, id: String) {
        switch kind {
        case "actions": self = .action(ActionID(id))
        case "tokens": self = .token(id)
        case "nodes", "databases", "users":
            guard let number = Int(id) else { return nil }
            switch kind {
            case "nodes": self = .node(NodeID(number))
            case "databases": self = .database(DatabaseID(number))
            default: self = .user(UserID(number))
            }
        default: return nil
        }
    }
}
