package import ClusterStore

extension EtcdStore {
    /// Tries the members in turn until one has set the watch up, for five seconds. From then on the stream is that
    /// member's; when it breaks, or the member falls silent, the stream ends with `unavailable` (see ``EtcdWatch``).
    package func watch(prefix: String, from revision: Int64) -> AsyncThrowingStream<StoreChange, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: StoreChange.self)
        let watch = EtcdWatch(caller: caller, range: GatewayRange(prefix: prefix), from: revision) {
            continuation.yield($0)
        }
        let task = Task {
            do {
                try await watch.run()
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}
