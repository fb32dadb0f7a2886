import ClusterModel
import Hummingbird
import ManagementAPI
import ManagerCore

/// What people do to shards and nodes: another primary, another node, maintenance, removal; and how they stop it.
struct OperationRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.post("/v1/shards/:uid/actions/failover") { request, context -> Response in
            try await failover(request, context)
        }
        router.post("/v1/shards/:uid/actions/migrate") { request, context -> Response in
            try await migrate(request, context)
        }
        for version in ["v1", "v2"] {
            router.delete("/\(version)/actions/:id") { request, context -> Response in
                let id = ActionID(context.parameters.get("id") ?? "")
                return try await cancel(request) { _ in id }
            }
        }
        router.get("/v1/nodes/:uid/actions") { _, context -> Response in try await list(context) }
        router.get("/v1/nodes/:uid/actions/:action") { _, context -> Response in try await show(context) }
        router.post("/v1/nodes/:uid/actions/:action") { request, context -> Response in
            try await begin(request, context)
        }
        router.delete("/v1/nodes/:uid/actions/:action") { request, context -> Response in
            let node = NodeID(try context.number("uid"))
            let name = try context.nodeAction()
            return try await cancel(request) { state in
                state.actions.values.first {
                    $0.node == node && $0.kind.nodeActionName == name && !$0.status.isFinal
                }?.id
            }
        }
        router.get("/v1/cluster/verify") { _, _ -> Response in try await verify() }
    }

    // MARK: Shards

    private func failover(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(FailoverRequest.self)
        let shard = ShardID(try context.number("uid"))
        let isForced = body.isForced == true || body.isImmediate == true
        let before = await copies()
        if !isForced { try await Task.sleep(for: CopyInspection.pause) }
        let after = isForced ? before : await copies()
        let (fresh, now) = (backend.fresh(), backend.now())
        let wanted = body.target.map { ShardID($0.value) }
        return try await commit(
            request, isRehearsal: body.isDryRun == true, "Failover was triggered"
        ) { state throws(PlanError) in
            let copies = isForced ? after : CopyInspection.conclude(before: before, after: after, in: state)
            return try Planner.takeOver(
                shard, to: wanted, isForced: isForced, copies: copies, in: state, fresh: fresh, now: now)
        }
    }

    private func copies() async -> [ShardID: ShardCopy] {
        await backend.shardReports().mapValues { ShardCopy(offset: $0.replicationOffset, isRunning: $0.pid > 0) }
    }

    private func migrate(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(MigrateRequest.self)
        let shard = ShardID(try context.number("uid"))
        let (fresh, now) = (backend.fresh(), backend.now())
        return try await commit(
            request, isRehearsal: body.isDryRun == true, "Migrate was triggered"
        ) { state throws(PlanError) in
            let target: NodeID
            if let wanted = body.target {
                target = NodeID(wanted.value)
            } else {
                target = try anyTarget(shard, in: state)
            }
            return try Planner.migrate(
                shard, to: target, ignoresRacks: body.ignoresRacks == true, in: state, fresh: fresh, now: now)
        }
    }

    private func anyTarget(_ id: ShardID, in state: ClusterState) throws(PlanError) -> NodeID {
        guard let (database, shard) = state.shard(id) else {
            throw PlanError("shard_not_exist", status: 404, "There is no shard \(id).")
        }
        guard let target = Planner.target(for: shard.slots, leaving: shard, of: database, in: state) else {
            throw PlanError("insufficient_resources", "No other node can take shard \(id).")
        }
        return target
    }

    // MARK: Nodes

    private func begin(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(NodeActionRequest.self)
        let node = NodeID(try context.number("uid"))
        let name = try context.nodeAction()
        let (fresh, now) = (backend.fresh(), backend.now())
        return try await commit(request, isRehearsal: false, "\(name) was triggered") { state throws(PlanError) in
            switch name {
            case "maintenance_on":
                try Planner.beginMaintenance(of: node, in: state, fresh: fresh, now: now)
            case "maintenance_off":
                try Planner.endMaintenance(of: node, in: state, fresh: fresh, now: now)
            default:
                try Planner.removeNode(node, isForced: body.isForced == true, in: state, fresh: fresh, now: now)
            }
        }
    }

    private func list(_ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        let node = NodeID(try context.number("uid"))
        guard state.nodes[node] != nil else { throw PlanError.noNode }
        let actions = state.actions.values.filter { $0.node == node }.sorted().compactMap { NodeActionObject($0) }
        return try .json(["actions": actions])
    }

    /// The newest of its kind.
    private func show(_ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        let node = NodeID(try context.number("uid"))
        let name = try context.nodeAction()
        let newest = state.actions.values.filter { $0.node == node && $0.kind.nodeActionName == name }.sorted().last
        guard let object = newest.flatMap({ NodeActionObject($0) }) else {
            throw PlanError("action_not_exist", status: 404, "There was no \(name) of node \(node).")
        }
        return try .json(object)
    }

    // MARK: Both

    private func cancel(
        _ request: Request, _ find: @escaping @Sendable (ClusterState) -> ActionID?
    ) async throws -> Response {
        let now = backend.now()
        return try await commit(request, isRehearsal: false, "Cancelled") { state throws(PlanError) in
            guard let id = find(state) else {
                throw PlanError("action_not_exist", status: 404, "No such action is under way.")
            }
            return try Planner.cancel(id, in: state, now: now)
        }
    }

    private func commit(
        _ request: Request, isRehearsal: Bool, _ description: String,
        _ decide: @escaping @Sendable (ClusterState) throws(PlanError) -> Plan
    ) async throws -> Response {
        let isRehearsal = isRehearsal || request.uri.queryParameters["dry_run"] != nil
        let (plan, revision) = try await backend.edit { state throws(PlanError) in
            var plan = try decide(state)
            if isRehearsal { plan.changes = [] }
            return plan
        }
        guard !isRehearsal else { return try .json(StartedObject(actionUID: nil, description: "It would be done")) }
        let started = StartedObject(actionUID: plan?.action?.id.description, description: description)
        return try Response.json(started).with(revision: revision)
    }

    private func verify() async throws -> Response {
        let state = try await backend.memberState()
        let violations = ClusterCheck.violations(in: state).map {
            VerificationObject.Violation(code: $0.code.rawValue, description: $0.text)
        }
        return try .json(VerificationObject(violations: violations))
    }
}

/// What is set for the cluster and for nodes.
struct PolicyRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get("/v1/cluster/policy") { _, _ -> Response in try await show() }
        router.put("/v1/cluster/policy") { request, _ -> Response in try await change(request) }
        router.put("/v1/nodes/:uid") { request, context -> Response in try await changeNode(request, context) }
    }

    private func show() async throws -> Response {
        guard let cluster = try await backend.memberState().cluster else { throw PlanError.noCluster }
        return try .json(ClusterPolicyObject(cluster))
    }

    private func change(_ request: Request) async throws -> Response {
        let body = try await request.json(ClusterPolicyObject.self)
        let detection = try body.detection.map { text throws(PlanError) in
            guard let profile = DetectionProfile(rawValue: text) else {
                throw PlanError(
                    "bad_request", status: 400, "failure_detection_sensitivity is high or low, not '\(text)'.")
            }
            return profile
        }
        let (_, revision) = try await backend.edit { state throws(PlanError) in
            try Planner.changePolicy(
                detection: detection, rebuildsReplicas: body.rebuildsReplicas,
                replicaGraceSeconds: body.replicaGraceSeconds, in: state)
        }
        return try await show().with(revision: revision)
    }

    private func changeNode(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(NodeRequest.self)
        let id = NodeID(try context.number("uid"))
        let (plan, revision) = try await backend.edit { state throws(PlanError) in
            try Planner.changeNode(
                id, rackID: body.rackID, acceptsShards: body.acceptsShards, maximumShards: body.maximumShards,
                maximumEndpoints: body.maximumEndpoints, in: state)
        }
        guard let node = plan?.node else { throw PlanError.noNode }
        let state = try await backend.memberState()
        let report = await backend.nodeReports()[id]
        return try Response.json(NodeObject(node, databases: state.databases, report: report)).with(revision: revision)
    }
}

extension PlanError {
    static var noCluster: PlanError { PlanError(code: "no_cluster", status: 503, message: "No cluster.") }
}

extension ManagementContext {
    fileprivate func nodeAction() throws(PlanError) -> String {
        let name = parameters.get("action") ?? ""
        guard ["maintenance_on", "maintenance_off", "remove"].contains(name) else {
            throw PlanError(
                code: "not_found", status: 404,
                message: "There is no action '\(name)' of nodes: maintenance_on, maintenance_off and remove are.")
        }
        return name
    }
}
