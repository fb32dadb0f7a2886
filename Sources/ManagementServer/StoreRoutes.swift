import Hummingbird
import ManagementAPI
import ManagerCore
import NIOCore

/// `/internal/v1/store`: by these nodes agree which cluster store is the newest, and find the newest copy of a lost
/// one.
struct StoreRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get(RouterPath(InternalPath.store)) { _, context -> Response in
            try context.requireNode()
            guard let report = await backend.storeReport() else { throw Self.noCopy }
            return try .json(report)
        }
        router.get(RouterPath(InternalPath.snapshot)) { _, context -> Response in
            try context.requireNode()
            guard let text = await backend.snapshotText() else { throw Self.noCopy }
            return Response(
                status: .ok, headers: [.contentType: "text/plain"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: text)))
        }
        router.post(RouterPath(InternalPath.store)) { request, context -> Response in
            try context.requireNode()
            await backend.hear(try await request.json())
            return try .json(JSONValue.object([:]))
        }
        router.post(RouterPath(InternalPath.address)) { request, context -> Response in
            try context.requireNode()
            let move: MoveObject = try await request.json()
            guard try await context.connection()?.peer.commonName == "node\(move.node)" else {
                throw PlanError("access_denied", status: 403, "Only node \(move.node) itself may change its address.")
            }
            return try .json(try await backend.moveNode(move))
        }
    }

    private static let noCopy = PlanError("no_cluster", status: 503, "This node has no copy of a cluster.")
}
