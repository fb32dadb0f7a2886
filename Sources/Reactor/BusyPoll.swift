import Synchronization

/// Whether a loop asks again and again for a moment before it sleeps.
///
/// Sleeping and being woken costs tens of microseconds, more than a small request takes: a client that waits alone
/// feels them twice. But time spent asking is taken from whoever else needs the processor. So a loop does it only while
/// few events come at once (else there is nothing to gain: the next event is there already), only as long as it
/// pays, and never when another loop does.
///
/// It pays when the event comes within the limit. After every failure twice as many waits are slept through
/// before the next try, so a loop without traffic, or with traffic too slow, spends next to nothing.
///
/// Where others have work for the processors, asking is worse than sleeping: who yields goes behind them and comes back
/// a whole time slice later, who is woken goes in front. A loop that lost its processor for so long leaves off asking
/// for some hundred waits, and for twice as many when that goes on (5000 requests a second beside two processes that
/// compute: p50 1.2 ms before, 0.14 since).
///
/// What is expected next matters: a shard answers soon, the next request may be long in coming. Waiting busily for
/// replies alone made things worse at 5000 requests a second (p50 188 us against 148): a loop that sleeps between
/// requests gains nothing from being awake for the shard. So it is both or none.
package struct BusyPoll {
    package enum Expectation: Int { case reply, request }

    private struct Experience {
        var failures: UInt8 = 0
        var waitsToSleep: UInt16 = 0
    }

    /// With more requests unanswered the loop is no bottleneck of anybody's patience.
    package static let mostUnanswered = 4

    /// Nanoseconds; 0 switches it off.
    package let limit: Int
    /// Events per turn, averaged, in eighths.
    private var crowd = 0
    private var reply = Experience()
    private var request = Experience()
    /// How often others have taken the processor, and how often they have not since; 256 times and it is forgotten.
    private var losses: UInt16 = 0
    private var undisturbed: UInt8 = 0

    /// More events per turn than this are a crowd.
    private static let crowdLimit = 2 << 3
    private static let mostFailures: UInt8 = 10
    /// Nanoseconds: no turn of a shard or client lasts so long, and no scheduler gives less to who computes.
    private static let slice = 500_000
    private static let mostLosses: UInt16 = 5

    package init(limit: Int) { self.limit = limit }

    /// - Parameter events: How many the last wait brought.
    @inline(__always)
    package mutating func note(events: Int) { crowd = crowd &+ events &- crowd >> 3 }

    /// Asked before every wait.
    @inline(__always)
    package mutating func shouldTry(for expectation: Expectation) -> Bool {
        if limit == 0 || crowd > Self.crowdLimit { return false }
        return expectation == .reply ? request.failures == 0 && Self.shouldTry(&reply) : Self.shouldTry(&request)
    }

    private static func shouldTry(_ experience: inout Experience) -> Bool {
        if experience.waitsToSleep == 0 { return true }
        experience.waitsToSleep &-= 1
        return false
    }

    /// - Parameter lost: For how many nanoseconds others had the processor.
    package mutating func note(success: Bool, lost: Int, for expectation: Expectation) {
        if lost >= Self.slice {
            losses = min(losses &+ 1, Self.mostLosses)
            undisturbed = 0
            reply.waitsToSleep = 128 &<< losses
            request.waitsToSleep = reply.waitsToSleep
            return
        }
        undisturbed &+= 1
        if undisturbed == 0 { losses = 0 }
        if expectation == .reply {
            Self.note(success, &reply)
        } else {
            Self.note(success, &request)
        }
    }

    private static func note(_ success: Bool, _ experience: inout Experience) {
        if success {
            experience.failures = 0
        } else {
            experience.failures = min(experience.failures &+ 1, mostFailures)
            experience.waitsToSleep = 1 &<< UInt16(experience.failures)
        }
    }
}

/// How many loops of the process may ask busily at the same time: one of four processors at most, none of one.
package final class BusyPollPlaces: Sendable {
    private let free: Atomic<Int>

    package init(processors: Int) { free = Atomic(processors < 2 ? 0 : max(1, processors / 4)) }

    package func take() -> Bool {
        if free.subtract(1, ordering: .relaxed).newValue >= 0 { return true }
        free.add(1, ordering: .relaxed)
        return false
    }

    package func giveBack() { free.add(1, ordering: .relaxed) }
}
