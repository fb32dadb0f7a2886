package import RESP

package typealias UpstreamPointer = UnsafeMutablePointer<Upstream>

/// One connection to a shard: shared by all sessions of a lane, or one session's own.
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

    /// What it is for, which decides what follows the login and who gets what comes.
    package enum Role: UInt8 {
        /// Carries the requests of all sessions of its lane.
        case shared
        /// Lent to one session for one request, or for as long as it watches keys.
        case lent
        /// One session's channels and patterns at this shard. Messages go to its owner.
        case subscription
        /// Sends its owner every command that the shard executes.
        case monitor
        /// Gets the invalidations of its owner's tracked reads, to be redirected to another client.
        case invalidation
        /// Carries all requests of its owner, whose reads the shard tracks.
        case tracking
        /// Asks how many replicas have what the shard did: WAIT holds up its connection, so it has one of its own.
        case witness
    }

    /// What its shard being held means for it.
    package enum Hold: UInt8 {
        case none
        /// Sessions that want to add are parked, and nothing is sent that wasn't begun.
        case waiting
        /// Held for too long: what comes is answered with an error.
        case refusing
    }

    package var descriptor: Int32 = -1
    package var state = State.idle
    package let role: Role
    // Kept, not computed: a computed property of another module copies all of this with its references when asked.
    /// Carries requests one behind the other that are repeated after a loss.
    package let isShared: Bool
    /// Belongs to one session for as long as that wants to be told something.
    package let isAttached: Bool
    /// Only listens: carries no request and answers none.
    package let isListening: Bool
    /// Protocol and logical database of its connection.
    package var lane: Lane
    package var isDirty = false
    /// More waits than ``blockLimit``: sessions that want to add are parked.
    package var isBlocked = false
    package var hold = Hold.none
    package var isListedForTime = false
    /// Why a command of the transaction that is being answered was declined; EXEC will be, too.
    package var declinedPart: Refusals.Reason?
    /// Lent for a command that waits, and the shard was told to end that.
    package var isEnding = false
    /// Its shard left the routes: finish what was asked, then go.
    package var isRetired = false
    package var isDead = false
    /// The last send did, and that is yet to be dealt with.
    package var hasFailed = false
    /// The last receive brought too much for many to be made at once.
    package var readsMuch = false
    /// Counts the connections that it had.
    package var connection: UInt32 = 0
    /// A script in it took long; another upstream stands in its place. Retired as well.
    package var isOvertaken = false
    /// Listed because of a script that is not answered yet.
    package var isScripting = false
    /// ``PendingQueue/endNumber`` behind the last script, and ``PendingQueue/firstNumber`` at the last look.
    package var lastScript = 0
    package var firstUnanswered = 0
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
    package var refusals = Refusals() {
        didSet { updateDiversion() }
    }
    package var withheld = Withheld()
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
    /// Confirmations of subscriptions (or of MONITOR) that the shard still owes.
    package var confirmationsDue = 0
    /// Logging in to a logical database of its own: nothing but the login leaves before it was answered, since a shard
    /// that refuses SELECT (BUSY, say) would take what follows for its first database.
    package var isLoggingIn = false
    /// Bytes of the login at the head of `output`, while ``isLoggingIn``.
    package var loginBytes = 0
    /// What the shard calls this connection; 0 until it said so. For CLIENT UNBLOCK.
    package var shardClientIdentifier = 0
    /// Replies to writes wait for a replica (``ShardDurability``).
    package var withholds = false {
        didSet { updateDiversion() }
    }
    /// Which replies need a closer look: a mask over ``Pending/effectCode`` and ``everyEffect``, zero for nearly all of
    /// the time.
    package private(set) var divertedEffects: UInt8 = 0
    /// The long reply that is arriving is kept whole, to be withheld: nothing of it has left.
    package var isKeepingReply = false
    /// What has come of it.
    package var keptReply = ByteQueue()
    package var isKeptReplyTooLong = false
    /// Not read while its shard has so much withheld.
    package var isReadHeld = false
    /// The shard sends no more: what is to be read ends here.
    package var isHungUp = false
    /// Stands for the shard's process, another one after each start; 0 until the shard said so. Only for databases
    /// whose writes wait for a replica.
    package var process: UInt64 = 0

    /// Of all replies: the order of their sessions may be in danger, since something was declined.
    @inlinable package static var everyEffect: UInt8 { 0x80 }

    private mutating func updateDiversion() {
        divertedEffects = (withholds ? Pending.dataEffectCode : 0) | (refusals.isEmpty ? 0 : Self.everyEffect)
    }

    /// Sent bytes that are kept for a repetition; with more in flight there is none.
    package static let sentLimit = 256 << 10

    /// Bytes that may wait in an upstream before sessions are held back.
    package static let blockLimit = 1 << 20

    package init(shard: ShardPointer, role: Role, lane: Lane) {
        self.shard = shard
        self.role = role
        self.lane = lane
        isShared = role == .shared || role == .tracking
        isAttached = role.rawValue >= Role.subscription.rawValue && role != .witness
        isListening = role == .subscription || role == .monitor || role == .invalidation
    }
}
