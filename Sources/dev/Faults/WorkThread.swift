import Glibc

/// A thread of its own, in the network namespace of the one that started it. (Threads of a pool would be in any.)
final class WorkThread: @unchecked Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private var handle = pthread_t()

    init(_ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(run)).toOpaque()
        pthread_create(
            &handle, nil,
            {
                Unmanaged<Body>.fromOpaque($0!).takeRetainedValue().run()
                return nil
            }, body)
    }

    /// Once only.
    func join() { pthread_join(handle, nil) }
}
