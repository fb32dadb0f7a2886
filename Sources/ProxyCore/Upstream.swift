package import RESP

package typealias UpstreamPointer = UnsafeMutablePointer<Upstream>

/// One connection to a shard: shared by all sessions of a loop, or lent to one.
///
/// Invariants: `pending` has one entry for each request in the stream, in order, the login included; the
/// unsent bytes in `output` are the tail of that stream; `rest` holds no whole reply.
package struct Upstream {
    package enum State: UInt8 {
        /// No socket, nothing to do.
        case idle
        /// The socket or the TLS handshake is under way.
        case connecting
        case ready
        /// Waits until `retryAt` before the next try.
        case waiting
    }

    package var descriptor: Int32 = -1
    package var state = State.idle
    package var isShared: Bool
    /// Begins with HELLO 3; it serves the sessions that did so.
    package let usesRESP3: Bool
    package var isDirty = false
    /// More waits than ``blockLimit``: sessions that want to add are parked.
    package var isBlocked = false
    package var isListedForTime = false
    /// Its shard left the routes: finish what was asked, then go.
    package var isRetired = false
    /// Everything that comes goes to `owner` as it is (subscriptions).
    package var pushesToOwner = false
    package var isDead = false
    package var isStreamingReply = false
    package var isAwaitingTLSWrite = false
    package var output = ByteQueue()
    package var rest = ByteQueue()
    package var pending = PendingQueue()
    /// What was sent last and is not answered: the tail of the sent stream, so that requests can be repeated which were
    /// certainly not executed, or are harmless twice. Shared upstreams only.
    package var sent = ByteQueue()
    /// Bytes sent and not answered; at least `sent.count`.
    package var sentUnanswered = 0
    package var refusals = Refusals()
    package var shard: ShardPointer
    package var owner: SessionPointer?
    package var progress = ReplyProgress()
    package var streamed = Pending(target: nil, sequence: 0, byteCount: 0, kind: .discard, isWrite: false)
    /// OpenSSL's connection for a shard on another node.
    package var tls: OpaquePointer?
    package var backoffMilliseconds = 0
    /// Monotonic milliseconds.
    package var retryAt = 0
    package var connectDeadline = 0
    /// Since when requests wait without a connection; 0: none do.
    package var waitingSince = 0

    /// Sent bytes that are kept for a repetition; with more in flight there is none.
    package static let sentLimit = 256 << 10

    /// Bytes that may wait in an upstream before sessions are held back.
    package static let blockLimit = 1 << 20

    package init(shard: ShardPointer, isShared: Bool, usesRESP3: Bool) {
        self.shard = shard
        self.isShared = isShared
        self.usesRESP3 = usesRESP3
    }
}
