import ProxyCore
import RESP
import Testing

/// Which answers say that nothing was executed, and in which order what was declined comes again.
@Suite struct RefusalsTests {
    private func withBytes<Result>(_ text: String, _ body: (Bytes, Int) -> Result) -> Result {
        var bytes = Array(text.utf8) + [UInt8](repeating: 0, count: scanSlackBytes)
        return bytes.withUnsafeMutableBufferPointer { body($0.baseAddress!, text.utf8.count) }
    }

    private func reason(_ text: String) -> Refusals.Reason? { withBytes(text, Refusals.reason) }

    private func abortReason(_ text: String, _ part: Refusals.Reason?) -> Refusals.Reason? {
        withBytes(text) { Refusals.abortReason($0, $1, part: part) }
    }

    @Test func refusalsAreToldFromErrorsOfWhatWasExecuted() {
        #expect(reason("-READONLY You can't write against a read only replica.\r\n") == .role)
        #expect(reason("-LOADING Redis is loading the dataset in memory\r\n") == .role)
        #expect(reason("-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set.\r\n") == .role)
        #expect(reason("-NOREPLICAS Not enough good replicas to write.\r\n") == .replicas)
        #expect(reason("-NOREPLICAS Not enough good replicas to write. script: 88c9, on @user_script:1.\r\n") == nil)
        #expect(reason("-NOREPLICAS the write was done at the primary\r\n") == nil)
        #expect(reason("-READONLY You can't write against a read only replica. script: 1\r\n") == nil)
        #expect(reason("-ERR x\r\n") == nil)
        #expect(reason("$50\r\nNOREPLICAS Not enough good replicas to write.\r\n") == nil)
    }

    @Test func execIsDeclinedForItselfOrForItsParts() {
        let previous = "-EXECABORT Transaction discarded because of previous errors.\r\n"
        #expect(abortReason(previous, .replicas) == .replicas)
        #expect(abortReason(previous, nil) == nil)
        let own = "-EXECABORT Transaction discarded because of: "
        #expect(abortReason(own + "NOREPLICAS Not enough good replicas to write.\r\n", nil) == .replicas)
        #expect(abortReason(own + "READONLY You can't write against a read only replica.\r\n", nil) == .role)
        #expect(abortReason(own + "OOM command not allowed\r\n", .role) == nil)
        #expect(abortReason("-OOM x\r\n", .role) == nil)
    }

    @Test(arguments: [Refusals.Reason.role, .replicas]) func waitingEnds(_ reason: Refusals.Reason) {
        var refusals = Refusals()
        func note(_ now: Int) -> Bool { refusals.noteRefusal(reason, now: now) }
        let limit = reason.limitMilliseconds
        refusals.note(reason, [], isBlock: false)
        #expect(note(100_000))
        #expect(note(100_500))
        #expect(refusals.deadline == 100_000 + limit)
        for now in stride(from: 100_500, through: 99_999 + limit, by: 500) {
            #expect(note(now))
        }
        // At once from then on: until it has been quiet, or a replica has confirmed something.
        #expect(!note(100_000 + limit))
        let last = 100_000 + limit * 2
        #expect(!note(last))
        #expect(note(last + limit + 1) == (reason == .role))
    }

    /// The time of a process that comes back is over when it is settled that a node is lost; and it is given once.
    @Test func nobodyWaitsForALostNode() {
        let limit = Refusals.Reason.replicas.limitMilliseconds
        var refusals = Refusals()
        func waits(_ now: Int, confirmedAt: Int) -> Bool {
            refusals.noteRefusal(.replicas, now: now, confirmedAt: confirmedAt)
        }
        #expect(!waits(102_400, confirmedAt: 100_000))
        #expect(!waits(109_000, confirmedAt: 100_000))
        #expect(!waits(200_000, confirmedAt: 100_000))
        // It is back, and another one goes.
        #expect(waits(300_100, confirmedAt: 300_000))
        #expect(waits(299_999 + limit, confirmedAt: 300_000))
        #expect(!waits(300_000 + limit, confirmedAt: 300_000))
        // Nobody had written for long: who knows when it went.
        refusals = Refusals()
        #expect(waits(200_000, confirmedAt: 100_000))
        #expect(!waits(200_000 + limit, confirmedAt: 100_000))
    }

    @Test func oneGapIsNotTheNext() {
        var refusals = Refusals()
        _ = refusals.noteRefusal(.replicas, now: 10_000)
        refusals.noteExecuted()
        _ = refusals.noteRefusal(.replicas, now: 10_500)
        #expect(refusals.deadline == 10_500 + Refusals.Reason.replicas.limitMilliseconds)
    }

    // MARK: Order

    private let first = SessionPointer(bitPattern: 0x1000)!
    private let second = SessionPointer(bitPattern: 0x2000)!
    private static let write = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    private static let read = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"

    private func pending(_ session: SessionPointer, _ sequence: UInt32, _ text: String) -> Pending {
        Pending(
            target: session, sequence: sequence, byteCount: text.utf8.count, kind: .session,
            isWrite: text != Self.read)
    }

    private func add(
        _ refusals: inout Refusals, _ session: SessionPointer, _ sequence: UInt32, _ text: String = Self.write,
        end: Int = 0, isBlock: Bool = false, isFirst: Bool = false
    ) {
        withBytes(text) { bytes, _ in
            let request = pending(session, sequence, text)
            if text == Self.read {
                refusals.add(read: request, bytes, of: session, end: end)
            } else {
                refusals.add(request, bytes, of: session, end: end, isBlock: isBlock, isFirst: isFirst)
            }
        }
    }

    /// A queue of which so many are answered, and one is not.
    private func queue(answered: Int) -> PendingQueue {
        var queue = PendingQueue()
        for _ in 0...answered { queue.append(pending(first, 0, Self.read)) }
        for _ in 0..<answered { _ = queue.removeFirst() }
        return queue
    }

    @Test func oneIsSentAloneAndTheOthersFollow() throws {
        var refusals = Refusals()
        func takeProbe(_ answered: Int) -> (requests: [Pending], bytes: [UInt8])? {
            refusals.takeProbe(queue(answered: answered))
        }
        func endProbe(_ pending: Pending) -> Bool { refusals.endProbe(pending) }
        refusals.note(.replicas, [], isBlock: false)
        add(&refusals, first, 1, end: 4)
        add(&refusals, second, 9, end: 4)
        add(&refusals, first, 2, Self.read, end: 4)
        #expect(refusals.isForReplicas)
        #expect(takeProbe(3) == nil)
        let probe = try #require(takeProbe(4))
        #expect(probe.requests.map(\.sequence) == [1])
        #expect(probe.bytes == Array(Self.write.utf8))
        #expect(refusals.isProbing)
        // Declined again, it goes where it was; with a later one of somebody else behind.
        #expect(!endProbe(pending(second, 1, Self.write)))
        #expect(endProbe(pending(first, 1, Self.write)))
        add(&refusals, first, 1, end: 5, isFirst: true)
        add(&refusals, second, 10, end: 7)
        #expect(refusals.requests.map(\.sequence) == [1, 9, 2, 10])
        _ = takeProbe(5)
        #expect(endProbe(pending(first, 1, Self.write)))
        let ready = refusals.takeReady(queue(answered: 5))
        #expect(ready.requests.map(\.sequence) == [9, 2])
        #expect(ready.bytes == Array((Self.write + Self.read).utf8))
        #expect(refusals.requests.map(\.sequence) == [10])
        #expect(!refusals.isEmpty)
        _ = refusals.take()
        #expect(refusals.isEmpty)
    }

    @Test func aTransactionIsOnePiece() throws {
        let block = "*1\r\n$5\r\nMULTI\r\n" + Self.write + "*1\r\n$4\r\nEXEC\r\n"
        var refusals = Refusals()
        add(&refusals, first, 3, block, isBlock: true)
        add(&refusals, first, 4)
        refusals.note(.replicas, Array("-EXECABORT no\r\n".utf8), isBlock: true)
        refusals.note(.replicas, Array("-NOREPLICAS no\r\n".utf8), isBlock: false)
        let taken = refusals.takeProbe(queue(answered: 0))
        let probe = try #require(taken)
        #expect(probe.requests.map(\.kind) == [.discard, .discard, .session])
        #expect(probe.bytes == Array(block.utf8))
        _ = refusals.endProbe(pending(first, 3, block))
        add(&refusals, first, 3, block, isBlock: true, isFirst: true)
        let failed = refusals.giveUp(queue(answered: 0)).failed
        #expect(failed.map(\.0.kind) == [.discard, .discard, .session, .session])
        #expect(failed.suffix(2).map(\.error) == [Array("EXECABORT no".utf8), Array("NOREPLICAS no".utf8)])
    }

    /// Numbers go round.
    @Test func whatIsOvertakenEnds() {
        var refusals = Refusals()
        refusals.note(.replicas, Array("-NOREPLICAS no\r\n".utf8), isBlock: false)
        add(&refusals, first, UInt32.max)
        add(&refusals, second, 5)
        add(&refusals, first, 0, Self.read)
        add(&refusals, first, 2)
        #expect(!refusals.holdsEarlier(of: first, than: UInt32.max))
        #expect(refusals.holdsEarlier(of: first, than: 1))
        #expect(!refusals.holdsEarlier(of: second, than: 5))
        let taken = refusals.take(of: first, before: 1)
        #expect(taken.map(\.0.sequence) == [UInt32.max, 0])
        #expect(taken[0].error == Array("NOREPLICAS no".utf8))
        #expect(String(decoding: taken[1].error, as: UTF8.self).hasPrefix("ERR a write in front of this command"))
        #expect(refusals.requests.map(\.sequence) == [5, 2])
        #expect(refusals.bytes == Array((Self.write + Self.write).utf8))
        #expect(!refusals.holdsEarlier(of: first, than: 1))
        #expect(refusals.holdsEarlier(of: first, than: 3))
    }

    @Test func readsGoOnWhenWritesAreGivenUp() {
        var refusals = Refusals()
        refusals.note(.replicas, Array("-NOREPLICAS no\r\n".utf8), isBlock: false)
        add(&refusals, first, 1)
        add(&refusals, first, 2, Self.read)
        add(&refusals, second, 3, end: 9)
        add(&refusals, second, 4, Self.read, end: 9)
        let given = refusals.giveUp(queue(answered: 4))
        #expect(given.failed.map(\.0.sequence) == [1, 3, 4])
        #expect(given.reads.map(\.sequence) == [2])
        #expect(given.bytes == Array(Self.read.utf8))
        #expect(refusals.isEmpty)
    }

    @Test func whileSomethingWaitsEveryReplyIsLookedAt() {
        var upstream = Upstream(shard: .allocate(capacity: 1), role: .shared, lane: .resp2)
        #expect(upstream.divertedEffects == 0)
        upstream.withholds = true
        #expect(upstream.divertedEffects == Pending.dataEffectCode)
        add(&upstream.refusals, first, 1)
        #expect(upstream.divertedEffects == Pending.dataEffectCode | Upstream.everyEffect)
        _ = upstream.refusals.takeProbe(upstream.pending)
        #expect(upstream.divertedEffects & Upstream.everyEffect != 0)
        _ = upstream.refusals.endProbe(pending(first, 1, Self.write))
        #expect(upstream.divertedEffects == Pending.dataEffectCode)
        upstream.withholds = false
        #expect(upstream.divertedEffects == 0)
    }
}
