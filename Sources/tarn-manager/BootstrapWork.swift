import Primitives

/// An attempt to get this node into a cluster.
struct BootstrapWork: Sendable {
    enum Kind: Sendable {
        case creating, joining
        /// Taking up a membership from before a restart.
        case resuming
        /// Making the cluster store anew from a copy of the configuration.
        case recovering
    }

    var kind: Kind
    var startedAt: WallTime

    /// The reference system's word for the state.
    var state: String {
        switch kind {
        case .creating: "creating_cluster"
        case .joining: "joining_cluster"
        case .resuming: "initiated"
        case .recovering: "recovering_cluster"
        }
    }
}
