package import ClusterModel
package import HTTPTransport
package import ManagementAPI
package import ManagerCore
package import Primitives

/// What the REST API needs of the manager behind it. Handlers decode, check permission and encode; deciding and doing
/// happen here.
package protocol ManagementBackend: Sendable {
    /// This node's copy of the cluster; nil while the node is in none.
    func state() async -> ClusterState?

    /// Nil while the node is in no cluster.
    func ownNode() async -> NodeID?

    func bootstrapStatus() async -> BootstrapObject

    /// Starts making a cluster. Returns at once; ``bootstrapStatus()`` tells how it goes.
    /// - Throws: ``PlanError`` when the node is busy with that already, in a cluster, or the request is bad.
    func createCluster(_ request: BootstrapRequest) async throws(PlanError)

    /// Starts joining one, in the same way.
    func joinCluster(_ request: BootstrapRequest) async throws(PlanError)

    /// Says what a recovery of the lost cluster store would do and, when the request confirms it, begins it.
    func recoverCluster(_ request: BootstrapRequest) async throws(PlanError) -> RecoveryPlanObject

    /// What this node knows of the cluster store; nil while it is in no cluster.
    func storeReport() async -> StoreReportObject?

    /// This node's copy of the configuration, as text; nil when it has none.
    func snapshotText() async -> [UInt8]?

    /// A peer knows a newer store.
    func hear(_ news: StoreNewsObject) async

    /// A node, shown by its key, has another address from now on; gives it a certificate with that.
    func moveNode(_ move: MoveObject) async throws(PlanError) -> JoinAnswerObject

    /// What a caller has to show to bootstrap this node: only who can read the file on the node knows it.
    func bootstrapSecret() async -> String

    /// Makes a plan on the newest state and commits it. Only on the leader.
    func edit(
        _ decide: @escaping @Sendable (ClusterState) throws(PlanError) -> Plan?
    ) async throws(PlanError) -> (plan: Plan?, revision: Int64)

    func fresh() -> Fresh
    func now() -> WallTime

    /// Hands a request to the leader; nil when this node leads.
    func forwardToLeader(_ request: HTTPClientRequest) async throws(PlanError) -> HTTPClientResponse?

    /// Returns when this node's copy has reached a revision, or after a second.
    func wait(for revision: Int64) async

    /// How far this node is with an epoch of a database.
    func progress(of database: DatabaseID, epoch: Epoch, within: Duration) async -> ProgressObject

    /// Shards of this node / of the cluster as their nodes see them now. A node that doesn't answer is left out.
    /// - Parameter only: Nil: all.
    func localShardReports(of only: Set<ShardID>?) async -> [ShardReportObject]
    func shardReports() async -> [ShardID: ShardReportObject]

    func localNodeReport() async -> NodeReportObject
    func nodeReports() async -> [NodeID: NodeReportObject]

    /// The cluster's side of the join handshake.
    func admit(_ request: JoinRequestObject, exporter: [UInt8]) async throws(PlanError) -> JoinAnswerObject

    /// Admission as the leader does it for the node that met the joiner.
    func admitAsLeader(_ admission: AdmissionObject) async throws(PlanError) -> NodeRecord

    /// A node that this one watches is alive. Nil: this node holds it to be lost.
    func heartbeat(_ message: HeartbeatObject) async -> FenceObject?

    /// Whether this node counts one that is being taken in, and its proxy has no lease left from before.
    func counts(newcomer: NodeID) async -> Bool

    /// How far this node is with the fencing that an epoch of a database brought.
    func fence(of database: DatabaseID, epoch: Epoch) async -> FenceObject

    /// A client of a database wants other settings. Only on the leader.
    /// - Returns: The epoch that has them.
    func changeSettingsAsLeader(_ change: SettingsChangeObject) async throws(PlanError) -> Epoch

    /// Whether this node reaches the leader and the store.
    func reachesLeader() async -> Bool

    /// Runs a command at the endpoint of a database, as its user `default`.
    /// - Throws: ``PlanError``: `bdb_endpoint_unavailable` (503) when nobody answers there, `command_failed` (406) with
    ///   what redis said.
    func run(_ command: [String], on database: DatabaseConfiguration) async throws(PlanError) -> JSONValue

    /// Key of the access tokens, the same on all nodes.
    func tokenKey() async -> [UInt8]
}
