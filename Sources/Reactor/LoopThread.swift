import Glibc

/// A thread of its own for a loop that never returns to anybody's executor.
package struct LoopThread: @unchecked Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let handle: pthread_t

    package init(_ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(run)).toOpaque()
        var handle = pthread_t()
        let outcome = pthread_create(
            &handle, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, body)
        precondition(outcome == 0, "pthread_create failed")
        self.handle = handle
    }

    package func join() { pthread_join(handle, nil) }
}

/// Time that neither jumps nor runs backwards.
package enum MonotonicClock {
    /// Behind by up to 4 ms and cheaper by far: for what is told in seconds.
    package static func coarseSeconds() -> UInt32 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return UInt32(truncatingIfNeeded: time.tv_sec)
    }

    package static func coarseMilliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return time.tv_sec &* 1000 &+ time.tv_nsec / 1_000_000
    }

    @inline(__always)
    package static func nanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
    }

    package static func milliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec &* 1000 &+ time.tv_nsec / 1_000_000
    }

    /// Goes on while the machine is suspended: for leases that others count, too.
    package static func bootMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec &* 1000 &+ time.tv_nsec / 1_000_000)
    }
}
