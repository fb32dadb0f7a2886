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
package struct Session {
    package var descriptor: Int32
    package var nextSequence: UInt32 = 0
    package var sendSequence: UInt32 = 0
    /// Most requests that may be unanswered. Halves when the client reads slowly, doubles when it keeps up.
    package var window: UInt32 = Session.initialWindow
    package var mode: SessionMode
    /// Said HELLO 3: its requests go over upstreams that did so too, and their replies pass as they are.
    package var usesRESP3 = false
    package var isDead = false
    package var isInGrave = false
    /// Close as soon as all replies have left; nothing more is read.
    package var isClosing = false
    /// The peer will send no more, or the socket failed.
    package var isHungUp = false
    /// Waits for its own replies, its own output or an upstream; its input is left alone meanwhile.
    package var isParked = false
    package var isDirty = false
    package var isReady = false
    package var isBlockedListed = false
    /// Half a request is here; watched for progress.
    package var isHalfListed = false
    package var hasMoved = false
    package var idleSweeps: UInt8 = 0
    /// Half a reply has gone to the client; pushes wait for its end.
    package var isMidReply = false
    /// Waits until no request is unanswered before it goes on.
    package var waitsForReplies = false
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
    /// Upstream of its own for as long as it blocks, watches or subscribes.
    package var pinned: UpstreamPointer?
    package var previous: SessionPointer?
    package var next: SessionPointer?
    /// What few sessions have: a name, a transaction.
    package var details: SessionDetails?

    package static let initialWindow: UInt32 = 256
    package static let maximumWindow: UInt32 = 4096

    package init(descriptor: Int32, database: DatabasePointer, mode: SessionMode) {
        self.descriptor = descriptor
        self.database = database
        self.mode = mode
    }

    package var hasUnanswered: Bool { nextSequence != sendSequence }
    /// Has upstreams of its own, which a command may occupy for long.
    package var holdsUpstreams: Bool { pinned != nil || details?.lent.isEmpty == false }
    package var isSubscribed: Bool { mode.contains(.subscriber) || details?.subscriptions.isEmpty == false }
}

/// Why a session's commands can't take the short way; zero for nearly all.
package struct SessionMode: OptionSet {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let unauthenticated = SessionMode(rawValue: 1)
    package static let transaction = SessionMode(rawValue: 2)
    /// Subscribed in RESP2, which leaves room for nothing else.
    package static let subscriber = SessionMode(rawValue: 4)
}

/// The rarely used part of a session.
package final class SessionDetails {
    package var identifier: Int = 0
    package var name: [UInt8] = []
    package var libraryName: [UInt8] = []
    package var libraryVersion: [UInt8] = []
    package var address = ""
    package var connectedAtSeconds = 0
    /// Commands between MULTI and EXEC as they came.
    package var queued: [UInt8] = []
    package var queuedCount = 0
    package var isAborted = false
    /// Slot that the transaction's or watch's keys must share; -1 until the first key.
    package var slot = -1
    package var isWatching = false
    /// A command that a shard was just asked about.
    package var askedName: [UInt8] = []
    package var hasAskedVersion = false
    /// Upstreams that push messages to a session of RESP3, one for each shard it subscribed at.
    package var subscriptions: [UpstreamPointer] = []
    /// Upstreams that answer a WAIT of the session.
    package var lent: [UpstreamPointer] = []
    /// Probes behind (un)subscriptions that a subscription's upstream has still to answer.
    package var probesDue = 0
    /// Pushes that came in the middle of a reply.
    package var heldPushes: [UInt8] = []
    package init() {}
}
