package import ClusterStore
import Synchronization

/// Collects what a watch brings. Ends with `cancel()` or with the stream.
package final class WatchRecorder: Sendable {
    private struct Recording {
        var changes: [StoreChange] = []
        var end: Result<Void, any Error>?
    }

    private let recording = Mutex(Recording())
    private let task: Mutex<Task<Void, Never>?> = Mutex(nil)

    package init(_ stream: AsyncThrowingStream<StoreChange, any Error>) {
        let running = Task { [self] in
            do {
                for try await change in stream { recording.withLock { $0.changes.append(change) } }
                recording.withLock { $0.end = .success(()) }
            } catch {
                recording.withLock { $0.end = .failure(error) }
            }
        }
        task.withLock { $0 = running }
    }

    package func cancel() { task.withLock { $0?.cancel() } }

    package var changes: [StoreChange] { recording.withLock { $0.changes } }

    package func changes(_ count: Int) async throws -> [StoreChange] {
        try await eventually("\(count) changes", lastSeen: { "\(self.changes)" }) {
            if case .failure(let error)? = recording.withLock({ $0.end }) { throw error }
            return changes.count >= count ? changes : nil
        }
    }

    /// The error that the stream ends with; nil when it ends without one.
    package func end(within limit: Duration = .seconds(15)) async throws -> (any Error)? {
        let end = try await eventually(within: limit, "the end of the watch", lastSeen: { "\(self.changes)" }) {
            recording.withLock { $0.end }
        }
        if case .failure(let error) = end { return error }
        return nil
    }
}
