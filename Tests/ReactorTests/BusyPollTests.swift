import Glibc
import Reactor
import Testing

@Suite struct BusyPollTests {
    private func tries(_ poll: inout BusyPoll, _ reason: BusyPoll.Expectation) -> Bool { poll.shouldTry(for: reason) }

    @Test func successIsRepeated() {
        var poll = BusyPoll(limit: 100_000)
        for _ in 0..<100 {
            #expect(tries(&poll, .reply))
            poll.note(success: true, lost: 0, for: .reply)
        }
    }

    /// Twice as many waits are slept through after every failure, up to 1024; one success makes good for all.
    @Test func failuresAreTriedLessAndLess() {
        var poll = BusyPoll(limit: 100_000)
        for expected in [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024] {
            var slept = 0
            while !poll.shouldTry(for: .request) { slept += 1 }
            #expect(slept == expected)
            poll.note(success: false, lost: 0, for: .request)
        }
        while !poll.shouldTry(for: .request) {}
        poll.note(success: true, lost: 0, for: .request)
        #expect(tries(&poll, .request))
    }

    /// A slow shard does not keep it from waiting for the next request; a slow client keeps it from both.
    @Test func noRepliesWithoutRequests() {
        var poll = BusyPoll(limit: 100_000)
        poll.note(success: false, lost: 0, for: .reply)
        #expect(!tries(&poll, .reply))
        #expect(tries(&poll, .request))
        poll.note(success: false, lost: 0, for: .request)
        for _ in 0..<100 { #expect(!tries(&poll, .reply)) }
    }

    /// Others have the processor: whatever came in the end, asking took it from nobody but this loop's clients.
    @Test func aLostProcessorIsLeftToOthers() {
        var poll = BusyPoll(limit: 100_000)
        for expected in [0, 256, 512, 1024, 2048, 4096, 4096] {
            var slept = 0
            while !poll.shouldTry(for: .request) { slept += 1 }
            #expect(slept == expected)
            poll.note(success: true, lost: 3_000_000, for: .request)
            #expect(!tries(&poll, .reply))
        }
        // Forgotten when it was long undisturbed; a shard's turn on this processor is no loss.
        while !poll.shouldTry(for: .request) {}
        for _ in 0..<256 { poll.note(success: true, lost: 60_000, for: .request) }
        poll.note(success: true, lost: 3_000_000, for: .request)
        var slept = 0
        while !poll.shouldTry(for: .request) { slept += 1 }
        #expect(slept == 256)
    }

    @Test func aCrowdIsNoCaseForIt() {
        var poll = BusyPoll(limit: 100_000)
        for _ in 0..<50 { poll.note(events: 12) }
        #expect(!tries(&poll, .reply))
        for _ in 0..<50 { poll.note(events: 1) }
        #expect(tries(&poll, .reply))
    }

    @Test func noLimitMeansNever() {
        var poll = BusyPoll(limit: 0)
        #expect(!tries(&poll, .reply))
    }

    @Test(arguments: [(1, 0), (2, 1), (4, 1), (8, 2), (64, 16)]) func placesByProcessors(processors: Int, places: Int) {
        let all = BusyPollPlaces(processors: processors)
        for _ in 0..<places { #expect(all.take()) }
        #expect(!all.take())
        #expect(!all.take())
        if places > 0 {
            all.giveBack()
            #expect(all.take())
        }
    }

    /// Without events the wait ends with its limit, and with one it ends at once.
    @Test func waitingIsBounded() {
        let poller = Poller()
        let mailbox = Mailbox<Int>()
        poller.add(source: mailbox.descriptor, tag: .mailbox, UnsafeMutableRawPointer(bitPattern: 8)!)
        let start = MonotonicClock.nanoseconds()
        #expect(poller.waitBusily(limit: 1_000_000).count == 0)
        #expect(MonotonicClock.nanoseconds() - start < 1_000_000_000)
        mailbox.post(1)
        #expect(poller.waitBusily(limit: 10_000_000_000).count == 1)
        poller.close()
    }
}
