import CLinux
import Glibc

/// Readiness of many descriptors: epoll, edge-triggered, armed once for each connection.
///
/// One loop owns it; only ``wait(milliseconds:)`` blocks. A descriptor is dropped by closing it.
package struct Poller {
    /// What a descriptor was registered as; travels in the low bits of the pointer, which is at least 8-aligned.
    package enum Tag: UInt64 { case listener, upstream, session, mailbox }

    package struct Event {
        package let tag: Tag
        package let pointer: UnsafeMutableRawPointer
        package let isReadable: Bool
        package let isWritable: Bool
        /// The peer will send no more.
        package let isHungUp: Bool
        /// The connection is gone in both directions.
        package let isBroken: Bool
    }

    private static let capacity = 512
    private let descriptor: Int32
    private let events: UnsafeMutablePointer<epoll_event>

    package init() {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(descriptor >= 0, "epoll_create1 failed")
        events = .allocate(capacity: Self.capacity)
    }

    /// Edge-triggered for both directions, once for the descriptor's life: no further call for any request.
    @discardableResult
    package func add(connection: Int32, tag: Tag, _ pointer: UnsafeMutableRawPointer) -> Bool {
        control(
            connection, EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue, tag, pointer)
    }

    /// Level-triggered and readable only: listeners and mailboxes, so that nothing is forgotten.
    @discardableResult
    package func add(source: Int32, tag: Tag, _ pointer: UnsafeMutableRawPointer) -> Bool {
        control(source, EPOLLIN.rawValue, tag, pointer)
    }

    /// The descriptor stays open and is not looked at until it is added again.
    package func remove(_ target: Int32) { _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, target, nil) }

    private func control(
        _ target: Int32, _ interest: UInt32, _ tag: Tag, _ pointer: UnsafeMutableRawPointer
    ) -> Bool {
        var event = epoll_event()
        event.events = interest
        event.data.u64 = UInt64(UInt(bitPattern: pointer)) | tag.rawValue
        return epoll_ctl(descriptor, EPOLL_CTL_ADD, target, &event) == 0
    }

    /// - Parameter milliseconds: -1 waits without end.
    /// - Returns: How many events there are now.
    package func wait(milliseconds: Int) -> Int {
        max(0, Int(clinux_epoll_wait(descriptor, events, Int32(Self.capacity), Int32(clamping: milliseconds))))
    }

    /// Asks until there is something, or `limit` nanoseconds are over, or this thread lost its processor for a while:
    /// then others need it more.
    ///
    /// - Returns: How many events there are, and for how many nanoseconds the processor was lost before the last look.
    package func waitBusily(limit: Int) -> (count: Int, lost: Int) {
        let start = MonotonicClock.nanoseconds()
        var last = start
        while true {
            let count = wait(milliseconds: 0)
            let now = MonotonicClock.nanoseconds()
            if count > 0 || now &- start >= limit || now &- last > Self.lostNanoseconds { return (count, now &- last) }
            last = now
            // Who was woken on this processor gets it at once: it may well be the one that is waited for.
            sched_yield()
        }
    }

    /// A shard's or a client's turn takes 10 to 60 us, and what it brings is waited for.
    private static let lostNanoseconds = 80_000

    /// Like ``wait(milliseconds:)``, for who has to be on time.
    package func wait(nanoseconds: Int) -> Int {
        max(0, Int(clinux_epoll_wait_nanoseconds(descriptor, events, Int32(Self.capacity), nanoseconds)))
    }

    package func event(_ index: Int) -> Event {
        let word = events[index].data.u64
        let flags = events[index].events
        return Event(
            tag: Tag(rawValue: word & 7).unsafelyUnwrapped,
            pointer: UnsafeMutableRawPointer(bitPattern: UInt(word & ~7)).unsafelyUnwrapped,
            isReadable: flags & EPOLLIN.rawValue != 0, isWritable: flags & EPOLLOUT.rawValue != 0,
            isHungUp: flags & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0,
            isBroken: flags & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0)
    }

    package func close() {
        Glibc.close(descriptor)
        events.deallocate()
    }
}
