import AccessControl
import ClusterModel
import HTTPTransport
import HTTPTypes
import Hummingbird
import ManagementAPI
import ManagerCore
import NIOPosix
import Primitives
import Synchronization
import TLS

/// Finds out who asks: a node by its certificate, a user by Basic credentials or by an access token.
///
/// A password hash takes tens of milliseconds on purpose; a pair that was found right is therefore remembered, as a
/// keyed digest and only as long as the stored hash stays the same.
final class Authenticator: Sendable {
    private struct Memory {
        var lockouts = LoginLockout()
        /// Keyed digest of e-mail and password to the stored hash that they matched.
        var verified: [[UInt8]: String] = [:]
    }

    /// More pairs than a cluster has users are a flood; forgetting all costs one hash each.
    private static let rememberedPairs = 1000

    private let backend: any ManagementBackend
    private let digestKey = Crypto.randomBytes(32)
    private let memory = Mutex(Memory())

    init(backend: any ManagementBackend) {
        self.backend = backend
    }

    func caller(of request: Request, _ context: ManagementContext) async throws -> Caller {
        if let header = request.headers[.authorization] { return try await user(header) }
        guard let peer = try await context.connection()?.peer, peer.isVerified, let name = peer.commonName,
            name.hasPrefix("node"), let number = Int(name.dropFirst(4))
        else { return .anybody }
        // A certificate outlives the membership of the node that it was signed for.
        guard let state = await backend.state() else { return .node }
        guard let record = state.nodes[NodeID(number)] else { return .anybody }
        // A machine that was replaced has a certificate of that name, too, but not the key.
        let isReplaced =
            !record.publicKeyDigest.isEmpty && peer.publicKeyDigest.map { $0 != record.publicKeyDigest } ?? false
        return isReplaced ? .anybody : .node
    }

    private func user(_ header: String) async throws -> Caller {
        guard let state = await backend.state() else { return .anybody }
        if let credentials = BasicCredentials(header: header) {
            return try await check(credentials, in: state)
        }
        guard let token = AccessToken(header: header) else { throw PlanError.badCredentials }
        let key = await backend.tokenKey()
        let seconds = backend.now().milliseconds / 1000
        guard let email = token.verifiedSubject(now: seconds, hmac: { Crypto.hmacSHA256(key: key, message: $0) }),
            let user = state.user(email: email)
        else { throw PlanError.badCredentials }
        return .user(email: user.email, role: user.role)
    }

    /// On threads for blocking work: a flood of logins on the few that run everything else would keep a leader from
    /// renewing its lease.
    private static func aside<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async throws -> Result {
        try await NIOThreadPool.singleton.runIfActive(work)
    }

    private func check(_ credentials: BasicCredentials, in state: ClusterState) async throws -> Caller {
        let now = backend.now()
        guard let user = state.user(email: credentials.username) else {
            // The same work as for a known user, so that time tells nobody which names exist.
            _ = try await Self.aside { PasswordHash.make(credentials.password) }
            throw PlanError.badCredentials
        }
        guard !memory.withLock({ $0.lockouts.isLocked(user.email, now: now) }) else {
            throw PlanError(
                code: "user_locked", status: 401,
                message: "Too many wrong passwords: \(user.email) is locked for 30 minutes.")
        }
        let pair = Array("\(user.email.utf8.count):\(user.email)\(credentials.password)".utf8)
        let digest = Crypto.hmacSHA256(key: digestKey, message: pair)
        if memory.withLock({ $0.verified[digest] == user.passwordHash }) {
            return .user(email: user.email, role: user.role)
        }
        let isRight = try await Self.aside { PasswordHash.verify(credentials.password, against: user.passwordHash) }
        guard isRight else {
            memory.withLock { $0.lockouts.failed(user.email, now: now) }
            throw PlanError.badCredentials
        }
        memory.withLock { memory in
            memory.lockouts.succeeded(user.email)
            if memory.verified.count >= Self.rememberedPairs { memory.verified = [:] }
            memory.verified[digest] = user.passwordHash
        }
        return .user(email: user.email, role: user.role)
    }
}

extension PlanError {
    static var badCredentials: PlanError {
        PlanError(
            code: "invalid_credentials", status: 401,
            message: "Wrong user or password, or the access token is no longer good.")
    }
}

/// Lets nobody past who isn't known, except where a node that is in no cluster, or a joiner, has to be let in.
///
/// The reference system answers `GET /v1/bootstrap` to everybody until the node is in a cluster; health checks of
/// containers use it afterwards too and learn nothing but the state, so it stays open.
struct AuthenticationMiddleware: RouterMiddleware {
    let backend: any ManagementBackend
    let authenticator: Authenticator

    func handle(
        _ request: Request, context: ManagementContext,
        next: (Request, ManagementContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.caller = try await authenticator.caller(of: request, context)
        let isOpen = context.route?.isOpen ?? (request.uri.path == InternalPath.join)
        if context.caller == .anybody, !isOpen {
            // Who isn't known can't be told apart yet: without a state there are no users.
            _ = try await backend.memberState()
            throw PlanError.badCredentials
        }
        return try await next(request, context)
    }
}
