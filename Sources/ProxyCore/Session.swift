package import RESP

package typealias SessionPointer = UnsafeMutablePointer<Session>

/// One client connection. Lives on one loop, in place, and is touched by that loop only.
///
/// Requests are numbered as they come; a reply leaves when every earlier one has left:
/// ```
///   sendSequence ──▶ 7   8   9   10 ◀── nextSequence
///                    │   │   └ reply here, waits in the ring for 8
///                    │   └ asked, not answered
///                    └ next to leave
/// ```
/// Invariants: `sendSequence <= nextSequence`; memory is freed only when both are equal (upstreams hold the pointer in
/// their queues until then); `direct` points into the loop's read arena and is sent or copied before that is reused.
@usableFromInline package struct Session {
    package var descriptor: Int32
    @usableFromInline package var nextSequence: UInt32 = 0
    @usableFromInline package var sendSequence: UInt32 = 0
    /// Most requests that may be unanswered. Halves when the client reads slowly, doubles when it keeps up.
    package var window: UInt32 = Session.initialWindow
    package var mode: SessionMode
    /// Whose upstreams carry its requests: after HELLO 3 those that speak RESP3, so that replies pass as they are.
    package var lane = Lane.resp2
    package var isDead = false
    /// Some replies are not to be sent: ``SessionDetails/muted``.
    package var isMuted = false
    package var isInGrave = false
    /// Waits for the end of a CLIENT PAUSE.
    package var isHeld = false
    /// Close as soon as all replies have left; nothing more is read.
    package var isClosing = false
    /// The peer will send no more, or the socket failed.
    package var isHungUp = false
    /// Waits for its own replies, its own output or an upstream; its input is left alone meanwhile.
    package var isParked = false
    package var isDirty = false
    package var isReady = false
    /// The last send failed, and that is yet to be dealt with.
    package var hasFailed = false
    /// The last receive brought too much for many to be made at once.
    package var readsMuch = false
    package var isBlockedListed = false
    /// Half a request is here; watched for progress.
    package var isHalfListed = false
    package var hasMoved = false
    package var idleSweeps: UInt8 = 0
    /// Half a reply has gone to the client; pushes wait for its end.
    package var isMidReply = false
    /// Waits until no request is unanswered before it goes on.
    package var waitsForReplies = false
    /// Most bytes of replies that left in one send since the session's strand was chosen.
    package var largestAnswer: Int32 = 0
    package var database: DatabasePointer
    /// Half a command, never more than the parser could not use.
    package var input = ByteQueue()
    /// Replies that the socket did not take.
    package var output = ByteQueue()
    package var direct: Bytes?
    package var directCount = 0
    package var ring = ReplyRing()
    /// A long command: how far it has come, and where it goes (nil: nowhere any more).
    package var progress = CommandProgress()
    package var isStreaming = false
    package var streamUpstream: UpstreamPointer?
    /// Upstream of its own for as long as it blocks or watches.
    package var pinned: UpstreamPointer?
    /// One upstream of its own for each shard, in the order of the routes, while the shards track its reads.
    package var ownUpstreams: UnsafeMutablePointer<UpstreamPointer>?
    package var previous: SessionPointer?
    package var next: SessionPointer?
    /// What few sessions have: a name, a transaction.
    package var details: SessionDetails?

    /// As CLIENT ID has it: unique among the loops of a proxy, and tells the loop.
    package let identifier: Int
    /// Monotonic seconds.
    package let connectedAt: UInt32
    package var lastActiveAt: UInt32
    /// Length of the command that is being looked at; for CLIENT LIST.
    package var commandBytes: UInt32 = 0
    /// The last command that was taken; for CLIENT LIST.
    package var lastCommand: UnsafePointer<CommandInfo>?

    package static let initialWindow: UInt32 = 256
    package static let maximumWindow: UInt32 = 4096

    package init(
        descriptor: Int32, database: DatabasePointer, mode: SessionMode, identifier: Int, connectedAt: UInt32
    ) {
        self.descriptor = descriptor
        self.database = database
        self.mode = mode
        self.identifier = identifier
        self.connectedAt = connectedAt
        lastActiveAt = connectedAt
    }

    @inlinable package var hasUnanswered: Bool { nextSequence != sendSequence }
    package var usesRESP3: Bool { lane.usesRESP3 }
    /// Has upstreams of its own, which a command may occupy for long.
    package var holdsUpstreams: Bool {
        pinned != nil || details.map { !$0.lent.isEmpty || !$0.attached.isEmpty } == true
    }
    package var isSubscribed: Bool { details.map { !$0.subscriptions.isEmpty } == true }
}

/// Why a session's commands can't take the short way; zero for nearly all.
package struct SessionMode: OptionSet {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let unauthenticated = SessionMode(rawValue: 1)
    package static let transaction = SessionMode(rawValue: 2)
    /// Subscribed in RESP2, which leaves room for nothing else.
    package static let subscriber = SessionMode(rawValue: 4)
    /// CLIENT CACHING goes in front of its next command.
    package static let caching = SessionMode(rawValue: 8)
}

/// Requests without replies: from a number on, up to another or without end.
package struct MutedRange {
    package let first: UInt32
    package var end: UInt32?

    package init(first: UInt32, end: UInt32?) {
        self.first = first
        self.end = end
    }

    package func contains(_ sequence: UInt32) -> Bool {
        Int32(bitPattern: sequence &- first) >= 0 && end.map { Int32(bitPattern: sequence &- $0) < 0 } ?? true
    }
}

/// The rarely used part of a session.
package final class SessionDetails {
    package var name: [UInt8] = []
    package var libraryName: [UInt8] = []
    package var libraryVersion: [UInt8] = []
    /// CLIENT REPLY: numbers of the requests whose replies are dropped. Only the last range can be open.
    package var muted: [MutedRange] = []
    package var tracking: Tracking?
    /// Number of the session's next request when it was last told to forget everything.
    package var forgotAt: UInt32?
    /// Whether the client of this identifier was there when the proxy's loops were asked last.
    package var redirectCheck: (identifier: Int, exists: Bool)?
    /// While it waits, and until the session goes on.
    package var blockingCall: BlockingCall?
    /// Shards of the session's own upstreams.
    package var ownCount = 0
    package var transaction = Transaction()
    package var execution: Execution?
    /// What the transaction's shard said when it was asked whether a script runs.
    package var busyAnswer: [UInt8]?
    /// Functions that only read, as a shard said.
    package var readOnlyFunctions: Set<[UInt8]>?
    /// Slot that the transaction's or watch's keys must share; -1 until the first key.
    package var slot = -1
    package var isWatching = false
    /// The connection that watched is gone: nobody knows whether the keys changed.
    package var hasLostWatch = false
    /// A command that a shard was just asked about.
    package var askedName: [UInt8] = []
    /// Where the keys of the next command are, as a shard said.
    package var askedKeys: KeyExtractor.Result?
    /// Number of the request that a shard was asked for; what it answered is of no use to any other.
    package var askedFor: UInt32 = 0
    package var hasAskedVersion = false
    package var subscriptions = Subscriptions()
    package var isMonitor = false
    /// Upstreams that bring what the session did not ask for one by one: messages, commands, invalidations.
    package var attached: [UpstreamPointer] = []
    /// The answer to a command that changes what it is told, until every shard has confirmed it.
    package var confirmation: [UInt8]?
    /// Upstreams that answer a WAIT of the session.
    package var lent: [UpstreamPointer] = []
    /// Pushes that came in the middle of a reply.
    package var heldPushes: [UInt8] = []
    package init() {}
}
