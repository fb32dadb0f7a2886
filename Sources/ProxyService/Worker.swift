import CLinux
import KeyMatching
import NodeLayout
import ProxyControl
import ProxyCore
import RESP
import Reactor

/// One event loop: listeners, sessions and upstreams of all databases, on one thread. DESIGN.md has the picture.
///
/// A plain value behind a pointer, so that the request path has no reference counts, no exclusivity checks and no
/// allocation. Its methods run on the loop's thread only.
struct Worker {
    /// Bytes read from a client at once.
    static let requestBufferBytes = 256 << 10
    /// Replies of one turn lie here, unmoved, until they are sent.
    static let arenaBytes = 1 << 20
    /// Read at least this much or make room first.
    static let minimumReadBytes = 64 << 10

    /// A turn that read more than this from shards is no matter of microseconds.
    private static let bulkBytes = 32 << 10

    let index: Int
    let loopCount: Int
    let poller = Poller()
    let mailbox: Mailbox<LoopMessage>
    let control: Mailbox<LoopReply>
    let paths: NodePaths
    private var busyPoll: BusyPoll
    private let busyPollPlaces: BusyPollPlaces
    /// What the upstreams of this turn owe, at most.
    var unanswered = 0
    /// More than 0 for some turns after long pieces were passed on: next to their copying a sleep is nothing.
    private var bulkTurns = 0
    let hasher = SlotHasher()
    let keyMatchScratch = KeyMatchScratch()
    /// Of the loop, counted.
    private(set) var turnNumber = 0
    /// Their turn has tried key rules for long enough; in the order in which they go on.
    var restingSessions = PointerList<Session>(capacity: 4)
    var isWakingResting = false
    let commands = CommandTable.compiled()
    var pool = BufferPool()
    let requestBuffer: Bytes
    let arena: Bytes
    var arenaUsed = 0
    /// Below it lie bytes that were fetched and are not handled yet.
    var arenaFloor = 0
    /// For ``fetch``: what sessions sent.
    let readAheadBuffer: Bytes
    /// Nil: each call is made on its own, as it is where there are fewer than the minimum.
    let sends: CallBatch?
    let receives: CallBatch?
    private let batchMinimum: Int
    /// The turn that last sent to shards did over so many connections. While there are few, nothing is gained.
    private var isSpread = false
    var batchedSessions = PointerList<Session>()
    var batchedUpstreams = PointerList<Upstream>()
    let readAhead: UnsafeMutablePointer<ReadAhead>
    var dirtySessions = PointerList<Session>()
    var dirtyUpstreams = PointerList<Upstream>()
    var readySessions = PointerList<Session>()
    /// Those of the turn before, while they are resumed.
    private var resumingSessions = PointerList<Session>()
    /// Parked until some upstream has room again.
    var blockedSessions = PointerList<Session>()
    /// With half a request; the next look at them in monotonic milliseconds.
    var halfSessions = PointerList<Session>()
    var nextSweep = 0
    /// Not connected, or with requests that wait: these have deadlines.
    var timedUpstreams = PointerList<Upstream>()
    /// With a script that is not answered; the next look at them in monotonic milliseconds.
    var scriptingUpstreams = PointerList<Upstream>()
    var nextScriptCheck = 0
    var sessionGraves = PointerList<Session>()
    var upstreamGraves = PointerList<Upstream>()
    var shardGraves = PointerList<Shard>()
    var databases: [Int: DatabasePointer] = [:]
    var removedDatabases: [DatabasePointer] = []
    var tls: UpstreamTLS
    var random: UInt64
    var sessionCount = 0
    var nextIdentifier = 0
    /// Monotonic seconds, of this turn.
    var now = MonotonicClock.coarseSeconds()
    /// Reasons to look at the databases' clocks: pauses, idle limits, resting listeners.
    var watchedDatabases = 0
    var nextIdleSweep = 0
    var repetitions: [Repetition] = []
    let lease: ServingLease
    var restraints = Restraints()
    /// With replies that wait for a replica and something to be done about it in this turn.
    var withholdingShards = PointerList<Shard>()
    /// To be read at the next turn's begin: they were not while too much was withheld.
    var readableUpstreams = PointerList<Upstream>(capacity: 4)
    /// The mailboxes of all loops, this one's among them.
    let loops: [Mailbox<LoopMessage>]
    var queries: [Int: LoopQuery] = [:]
    var lastQuery = 0
    var settingsChanges = SettingsChanges()
    var isStopping = false
    var stopDeadline = 0
    /// Given up to accept and close when the process is out of descriptors.
    var reserveDescriptor: Int32

    init(
        index: Int, loops: [Mailbox<LoopMessage>], control: Mailbox<LoopReply>, paths: NodePaths,
        busyPoll: BusyPoll, busyPollPlaces: BusyPollPlaces, lease: ServingLease, driver: ProxyDriver
    ) {
        (receives, sends, batchMinimum) = driver.batches()
        readAhead = .allocate(capacity: Self.readAheadEvents)
        readAheadBuffer = .allocate(capacity: Self.readAheadEvents * Self.readAheadStride + scanSlackBytes)
        self.index = index
        self.loops = loops
        loopCount = loops.count
        mailbox = loops[index]
        self.control = control
        self.paths = paths
        self.busyPoll = busyPoll
        self.busyPollPlaces = busyPollPlaces
        self.lease = lease
        tls = UpstreamTLS(paths: paths)
        requestBuffer = .allocate(capacity: Self.requestBufferBytes + scanSlackBytes)
        arena = .allocate(capacity: Self.arenaBytes + scanSlackBytes)
        random = UInt64(truncatingIfNeeded: MonotonicClock.milliseconds()) &+ UInt64(index)
        reserveDescriptor = clinux_eventfd()
    }

    /// Runs until ``LoopMessage/stop`` and the last session are done.
    mutating func run() {
        poller.add(source: mailbox.descriptor, tag: .mailbox, UnsafeMutableRawPointer(bitPattern: 8)!)
        while !isFinished {
            turn()
        }
        poller.close()
        sends?.close()
        receives?.close()
    }

    private mutating func turn() {
        let isDue = readySessions.count > 0 || readableUpstreams.count > 0 || restingSessions.count > 0
        turnNumber &+= 1
        let count = isDue ? poller.wait(milliseconds: 0) : awaitEvents()
        now = MonotonicClock.coarseSeconds()
        if restraints.leasedDatabases > 0 { checkLease() }
        if isSpread && count >= batchMinimum {
            handleAtOnce(count)
        } else {
            var position = 0
            while position < count {
                handle(poller.event(position))
                position &+= 1
            }
        }
        if readableUpstreams.count > 0 { readHeld() }
        if timedUpstreams.count > 0 { checkTimes() }
        checkStalls()
        if restraints.nextCheck != Int.max { checkRestraints() }
        if scriptingUpstreams.count > 0 { checkScripts() }
        if restingSessions.count > 0 { wakeResting() }
        if readySessions.count > 0 { resumeReady() }
        if withholdingShards.count > 0 { settleWithheld() }
        flushUpstreams()
        flushSessions()
        if withholdingShards.count > 0 { freeReleased() }
        if !restraints.drains.isEmpty { answerDrains() }
        if arenaUsed >= Self.bulkBytes { noteBulk() }
        arenaUsed = 0
        if sessionGraves.count > 0 || upstreamGraves.count > 0 || !removedDatabases.isEmpty { bury() }
    }

    @inline(__always)
    mutating func noteBulk() { bulkTurns = 16 }

    /// Busily for a moment where that pays, then asleep.
    private mutating func awaitEvents() -> Int {
        let expectation: BusyPoll.Expectation = unanswered > 0 ? .reply : .request
        let isQuiet = unanswered <= BusyPoll.mostUnanswered && bulkTurns == 0
        unanswered = 0
        if bulkTurns > 0 { bulkTurns &-= 1 }
        if isQuiet && busyPoll.shouldTry(for: expectation) && busyPollPlaces.take() {
            let (count, lost) = poller.waitBusily(limit: busyPoll.limit)
            busyPollPlaces.giveBack()
            busyPoll.note(success: count > 0, lost: lost, for: expectation)
            if count > 0 {
                busyPoll.note(events: count)
                return count
            }
        }
        let count = poller.wait(milliseconds: timeout())
        busyPoll.note(events: count)
        return count
    }

    @inline(__always)
    mutating func handle(_ event: Poller.Event) {
        switch event.tag {
        case .session:
            let session = event.pointer.assumingMemoryBound(to: Session.self)
            if session.pointee.isDead { return }
            if event.isWritable && !session.pointee.output.isEmpty { markDirty(session) }
            if event.isHungUp { session.pointee.isHungUp = true }
            if event.isBroken || (event.isHungUp && session.pointee.holdsUpstreams) {
                close(session)
            } else if event.isReadable || event.isHungUp {
                read(session)
            }
        case .upstream:
            let upstream = event.pointer.assumingMemoryBound(to: Upstream.self)
            if upstream.pointee.isDead || upstream.pointee.descriptor < 0 { return }
            upstreamEvent(upstream, event)
        case .listener: accept(event.pointer.assumingMemoryBound(to: Database.self))
        case .mailbox: takeMessages()
        }
    }

    private var isFinished: Bool {
        isStopping && (sessionCount == 0 || MonotonicClock.milliseconds() >= stopDeadline)
    }

    // MARK: To-do lists

    @inline(__always)
    mutating func markDirty(_ session: SessionPointer) {
        if session.pointee.isDirty { return }
        session.pointee.isDirty = true
        dirtySessions.append(session)
    }

    @inline(__always)
    mutating func markDirty(_ upstream: UpstreamPointer) {
        if upstream.pointee.isDirty { return }
        upstream.pointee.isDirty = true
        dirtyUpstreams.append(upstream)
    }

    mutating func markReady(_ session: SessionPointer) {
        if session.pointee.isReady { return }
        session.pointee.isReady = true
        readySessions.append(session)
    }

    private mutating func resumeReady() {
        // Only those of before: a session that is made ready meanwhile waits for the next turn, so nobody starves.
        swap(&resumingSessions, &readySessions)
        while let session = resumingSessions.removeLast() {
            session.pointee.isReady = false
            if !session.pointee.isDead { resume(session) }
        }
    }

    @inline(__always)
    private mutating func flushUpstreams() {
        if dirtyUpstreams.count == 0 { return }
        isSpread = dirtyUpstreams.count >= batchMinimum
        if isSpread { return flushUpstreamsAtOnce() }
        var position = 0
        while position < dirtyUpstreams.count {
            let upstream = dirtyUpstreams[position]
            upstream.pointee.isDirty = false
            if !upstream.pointee.isDead { flush(upstream) }
            position &+= 1
        }
        dirtyUpstreams.count = 0
    }

    /// Sends or copies everything that lies in the arena, which may be overwritten then.
    @inline(__always)
    mutating func flushSessions() {
        if isSpread && dirtySessions.count >= batchMinimum { return flushSessionsAtOnce() }
        var position = 0
        while position < dirtySessions.count {
            let session = dirtySessions[position]
            session.pointee.isDirty = false
            if !session.pointee.isDead { flush(session) }
            position &+= 1
        }
        dirtySessions.count = 0
    }

    mutating func nextRandom() -> UInt64 {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return random >> 16
    }
}
