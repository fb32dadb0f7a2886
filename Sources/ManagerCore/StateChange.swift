package import ClusterModel

/// One decoded record written to the store or removed from it.
package enum StateChange: Sendable, Equatable {
    case cluster(ClusterRecord)
    case head(ClusterHead)
    case authority(AuthorityRecord)
    case leader(NodeID)
    case node(NodeRecord)
    case database(DatabaseConfiguration)
    case action(ActionRecord)
    case user(UserRecord)
    case token(JoinTokenRecord)
    case suspicion(NodeID, by: NodeID)
    case recovery(RecoveryRecord)
    case removed(StoreKey)

    /// The key that the change writes or deletes.
    package var key: StoreKey {
        switch self {
        case .cluster: .cluster
        case .head: .head
        case .authority: .authority
        case .leader: .leader
        case .node(let record): .node(record.id)
        case .database(let configuration): .database(configuration.id)
        case .action(let record): .action(record.id)
        case .user(let record): .user(record.id)
        case .token(let record): .token(record.id)
        case .recovery: .recovery
        case .suspicion(let node, let voter): .suspicion(node, by: voter)
        case .removed(let key): key
        }
    }
}
