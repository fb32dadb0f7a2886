import ClusterStore
import FoundationEssentials
import HTTPTransport
import Logging
import Synchronization

/// One watch at one member at a time.
///
/// Silence is normal on a watch, so three things tell a quiet stream from a dead one:
/// - a member that loses its leader ends the stream (`hasleader`), after about three election timeouts;
/// - after ``quietLimit`` of silence the member is asked for its status, and when it doesn't answer twice in a row the
///   stream is given up. So a stopped or cut off member costs a watch 1.6 s at most, less than the time after which
///   its node is voted lost: by then the others must see each other's votes;
/// - etcd itself reports progress every ten minutes; when even that is missing, only this one stream is dead.
///
/// A watch is best at its own node's member, as no other node's loss can blind it there. One that is elsewhere, because
/// its member failed or came later, ends when its member serves; the next one begins there.
final class EtcdWatch: Sendable {
    /// Silence before the member is asked how it is. Lower finds a dead member sooner; each watch costs the members one
    /// small request in this time.
    static let quietLimit = Duration.seconds(1)
    /// Time for the answer.
    static let statusDeadline = Duration.milliseconds(300)
    /// Time to connect, and again for the watch to be confirmed.
    static let beginDeadline = Duration.milliseconds(500)
    /// Between two looks whether the own node's member serves.
    static let homeInterval = Duration.seconds(2)
    /// One and a half of etcd's progress interval.
    static let silenceLimit = Duration.seconds(900)

    private struct Hearing {
        var isCreated = false
        var lastHeard: Duration
    }

    /// The stream at this member is over; another member may do.
    private struct Broken: Error {
        var reason: String
        var wasCreated: Bool
    }

    private let caller: GatewayCaller
    private let range: GatewayRange
    private let revision: Int64
    private let emit: @Sendable (StoreChange) -> Void

    init(
        caller: GatewayCaller, range: GatewayRange, from revision: Int64,
        emit: @escaping @Sendable (StoreChange) -> Void
    ) {
        self.caller = caller
        self.range = range
        self.revision = revision
        self.emit = emit
    }

    /// Returns when the task is cancelled, or a watch at another member is better.
    func run() async throws {
        let end = caller.now + GatewayCaller.patience
        var last = "no member is known"
        while caller.now < end {
            for endpoint in caller.round() {
                do {
                    return try await follow(endpoint)
                } catch let broken as Broken {
                    if Task.isCancelled { return }
                    caller.failed(endpoint)
                    last = "\(endpoint): \(broken.reason)"
                    guard !broken.wasCreated else { throw StoreError(.unavailable, "the watch broke; \(last)") }
                }
            }
            try? await Task.sleep(for: GatewayCaller.pause)
            if Task.isCancelled { return }
        }
        throw StoreError(.unavailable, "no member of the store took the watch; last: \(last)")
    }

    /// Throws ``Broken`` or a ``StoreError`` that no other member would spare us; returns as ``run()`` does.
    private func follow(_ endpoint: HTTPEndpoint) async throws {
        let hearing = Box(Hearing(lastHeard: caller.now))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.read(endpoint, hearing) }
            group.addTask { try await self.listen(to: endpoint, hearing) }
            group.addTask { try await self.waitForHome(from: endpoint) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func read(_ endpoint: HTTPEndpoint, _ hearing: Box<Hearing>) async throws {
        // A start of 0 would mean "from now on" to etcd.
        let create = WatchRequest.Create(
            key: range.key, range_end: range.range_end, start_revision: Gateway64(max(1, revision)))
        let request = try GatewayCaller.request("/watch", WatchRequest(create_request: create))
        var lines = WatchLines()
        var reason = "the stream ended"
        do {
            for try await chunk in caller.client.stream(request, to: endpoint, connectDeadline: Self.beginDeadline) {
                hearing.value.withLock { $0.lastHeard = caller.now }
                for step in try lines.append(chunk) { try take(step, from: endpoint, hearing) }
            }
        } catch let error as HTTPClientError {
            reason = error.message
        }
        throw Broken(reason: reason, wasCreated: hearing.value.withLock { $0.isCreated })
    }

    private func take(_ step: WatchLines.Step, from endpoint: HTTPEndpoint, _ hearing: Box<Hearing>) throws {
        switch step {
        case .created:
            hearing.value.withLock { $0.isCreated = true }
            caller.answered(endpoint)
        case .change(let change): emit(change)
        case .progress: break
        case .compacted(let revision):
            throw StoreError(
                .compacted, "revision \(self.revision) was compacted away (up to \(revision)): take a new snapshot")
        case .ended(let reason):
            throw Broken(reason: reason, wasCreated: hearing.value.withLock { $0.isCreated })
        }
    }

    /// Throws ``Broken`` when the member is silent and can't be roused.
    private func listen(to endpoint: HTTPEndpoint, _ hearing: Box<Hearing>) async throws {
        try await Task.sleep(for: Self.beginDeadline * 2)
        guard hearing.value.withLock({ $0.isCreated }) else {
            throw Broken(reason: "the watch was not confirmed in time", wasCreated: false)
        }
        var unanswered = 0
        while true {
            let heard = hearing.value.withLock { $0.lastHeard }
            let rest = unanswered > 0 ? GatewayCaller.pause : heard + Self.quietLimit - caller.now
            if rest > .zero {
                try await Task.sleep(for: rest)
                if unanswered == 0 { continue }
            }
            guard caller.now - heard < Self.silenceLimit else {
                throw Broken(reason: "not even progress is reported", wasCreated: true)
            }
            unanswered = await isAlive(endpoint) ? 0 : unanswered + 1
            if unanswered == 2 { throw Broken(reason: "the member doesn't answer any more", wasCreated: true) }
            if unanswered == 0 { try await Task.sleep(for: Self.quietLimit) }
        }
    }

    private func waitForHome(from endpoint: HTTPEndpoint) async throws {
        while true {
            try await Task.sleep(for: Self.homeInterval)
            guard let home = caller.preferred(to: endpoint) else { continue }
            let status: StatusResponse? = try? await caller.callOnce(
                "/maintenance/status", Nothing(), at: home, deadline: Self.statusDeadline)
            if let status, status.leader?.value ?? 0 != 0, status.isLearner != true { return }
        }
    }

    private func isAlive(_ endpoint: HTTPEndpoint) async -> Bool {
        let status: StatusResponse? = try? await caller.callOnce(
            "/maintenance/status", Nothing(), at: endpoint, deadline: Self.statusDeadline)
        return status != nil
    }
}

/// Lets two tasks share one locked value.
private final class Box<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
}
