import CLinux
import Glibc

/// What the watchdog's loop waits for.
enum EventSource: Hashable {
    case signals, listener, timer
    case process(String)
    case connection(UInt64)
}

/// epoll over a changing set of sources. An event of a source that was removed meanwhile is dropped.
struct EventPoll {
    private let descriptor: Int32
    private var sources: [UInt64: EventSource] = [:]
    private var tokens: [EventSource: (token: UInt64, descriptor: Int32)] = [:]
    private var nextToken: UInt64 = 1

    init() throws(WatchdogError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system("epoll") }
    }

    mutating func add(_ source: EventSource, _ watched: Int32) throws(WatchdogError) {
        let token = nextToken
        guard clinux_watch(descriptor, EPOLL_CTL_ADD, watched, EPOLLIN.rawValue, token) == 0 else {
            throw .system("epoll add")
        }
        nextToken += 1
        sources[token] = source
        tokens[source] = (token, watched)
    }

    /// Whether to wait for room to write, besides something to read.
    func setWriting(_ source: EventSource, _ isWriting: Bool) {
        guard let (token, watched) = tokens[source] else { return }
        let events = isWriting ? EPOLLIN.rawValue | EPOLLOUT.rawValue : EPOLLIN.rawValue
        _ = clinux_watch(descriptor, EPOLL_CTL_MOD, watched, events, token)
    }

    mutating func remove(_ source: EventSource) {
        guard let (token, watched) = tokens.removeValue(forKey: source) else { return }
        sources[token] = nil
        _ = clinux_watch(descriptor, EPOLL_CTL_DEL, watched, 0, 0)
    }

    /// - Parameter timeoutMilliseconds: -1: until something happens.
    func wait(timeoutMilliseconds: Int32) -> [UInt64] {
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 64) { events in
            let count = epoll_wait(descriptor, events.baseAddress, 64, timeoutMilliseconds)
            return count > 0 ? events[..<Int(count)].map(\.data.u64) : []
        }
    }

    func source(_ token: UInt64) -> EventSource? { sources[token] }
}
