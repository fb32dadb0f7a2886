import Reactor

/// How a loop's calls to the kernel are made. Which sockets are ready epoll tells in any case.
package enum ProxyDriver: String, Sendable {
    /// The receives and sends of a turn all at once by io_uring, where that is allowed and many shards are asked.
    case automatic = "auto"
    /// The same, however few are.
    case ring = "io_uring"
    /// Each on its own.
    case epoll

    /// One for receives and one for sends, and from how many calls on they are used; without io_uring never.
    func batches() -> (receives: CallBatch?, sends: CallBatch?, minimum: Int) {
        guard self != .epoll, let receives = CallBatch() else { return (nil, nil, .max) }
        guard let sends = CallBatch() else {
            receives.close()
            return (nil, nil, .max)
        }
        return (receives, sends, self == .ring ? 1 : CallBatch.minimum)
    }
}
