import ClusterModel
import FoundationEssentials
import HTTPTypes
import Hummingbird
import ManagementAPI
import ManagerCore

/// `/v1/bdbs`: databases come, change and go. Each change answers at once with the database and the action to watch.
struct DatabaseRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get("/v1/bdbs") { request, _ -> Response in try await list(request) }
        router.post("/v1/bdbs") { request, context -> Response in try await create(request, context) }
        router.get("/v1/bdbs/:uid") { request, context -> Response in try await show(request, context) }
        router.put("/v1/bdbs/:uid") { request, context -> Response in try await update(request, context) }
        router.delete("/v1/bdbs/:uid") { request, context -> Response in try await delete(request, context) }
    }

    private func list(_ request: Request) async throws -> Response {
        let state = try await backend.memberState()
        return try answer(state.databases.values.sorted { $0.id < $1.id }.map { object($0, in: state) }, to: request)
    }

    private func show(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        guard let database = state.databases[try context.databaseID()] else { throw PlanError.noDatabase }
        return try answer(object(database, in: state), to: request)
    }

    private func create(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(BDBRequest.self)
        let policy = try body.toPolicy()
        let fresh = backend.fresh()
        let now = backend.now()
        let wanted = body.uid
        return try await commit(request) { state throws(PlanError) in
            try Planner.createDatabase(policy, id: wanted, in: state, fresh: fresh, now: now)
        }
    }

    private func update(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(BDBRequest.self)
        let id = try context.databaseID()
        let fresh = backend.fresh()
        let now = backend.now()
        return try await commit(request) { state throws(PlanError) in
            guard let database = state.databases[id] else { throw PlanError.noDatabase }
            let policy = try body.apply(to: database.policy)
            return try Planner.updateDatabase(id, to: policy, in: state, fresh: fresh, now: now)
        }
    }

    private func delete(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let id = try context.databaseID()
        let fresh = backend.fresh()
        let now = backend.now()
        return try await commit(request) { state throws(PlanError) in
            try Planner.deleteDatabase(id, in: state, fresh: fresh, now: now)
        }
    }

    /// With `?dry_run` the answer is what would be, and nothing is done.
    private func commit(
        _ request: Request, _ decide: @escaping @Sendable (ClusterState) throws(PlanError) -> Plan?
    ) async throws -> Response {
        let isRehearsal = request.uri.queryParameters["dry_run"] != nil
        let (plan, revision) = try await backend.edit { state throws(PlanError) in
            var plan = try decide(state)
            if isRehearsal { plan?.changes = [] }
            return plan
        }
        let state = try await backend.memberState()
        guard let database = plan?.database else { return .empty }
        let action = isRehearsal ? nil : plan?.action
        let response = try answer(object(database, in: state, action: action), to: request)
        return isRehearsal ? response : response.with(revision: revision)
    }

    /// `?fields=uid,name` asks for those keys only.
    private func answer(_ value: some Encodable, to request: Request) throws -> Response {
        guard let fields = request.uri.queryParameters["fields"] else { return try .json(value) }
        let whole = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
        return try .json(whole.picking(Set(fields.split(separator: ",").map(String.init))))
    }

    private func object(
        _ database: DatabaseConfiguration, in state: ClusterState, action: ActionRecord? = nil
    ) -> BDBObject {
        BDBObject(
            database, nodes: state.nodes, clusterName: state.cluster?.name ?? "",
            action: action ?? state.unfinishedActions(of: database.id).first)
    }
}

extension PlanError {
    static var noDatabase: PlanError {
        PlanError(code: "db_not_exist", status: 404, message: "There is no database with this uid; see GET /v1/bdbs.")
    }
}

extension ManagementBackend {
    /// The cluster as this node knows it, or the refusal of a node that is in none.
    func memberState() async throws(PlanError) -> ClusterState {
        if let state = await state(), state.cluster != nil { return state }
        guard await ownNode() == nil else {
            throw PlanError(
                code: "no_quorum", status: 503,
                message:
                    "This node is in a cluster and has not reached its configuration store since it started. It goes "
                    + "on trying; see the state of the other nodes.")
        }
        throw PlanError(
            code: "no_cluster", status: 503,
            message: "This node is not in a cluster yet: 'tarn cluster create' or 'tarn cluster join' changes that.")
    }
}

extension ManagementContext {
    func databaseID() throws(PlanError) -> DatabaseID {
        DatabaseID(try number("uid"))
    }

    func number(_ name: String) throws(PlanError) -> Int {
        guard let text = parameters.get(name), let number = Int(text) else {
            throw PlanError(code: "bad_request", status: 400, message: "\(name) in the path has to be a number.")
        }
        return number
    }
}

extension Response {
    /// Lets a node that handed a request on wait until its own copy shows what was done.
    func with(revision: Int64) -> Response {
        var copy = self
        copy.headers[.tarnRevision] = String(revision)
        return copy
    }
}

extension HTTPField.Name {
    static var tarnRevision: HTTPField.Name { HTTPField.Name("X-Tarn-Revision")! }
    static var tarnLocal: HTTPField.Name { HTTPField.Name("X-Tarn-Local")! }
    static var tarnForwarded: HTTPField.Name { HTTPField.Name("X-Tarn-Forwarded")! }
}
