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

    /// More events per turn than this are a crowd.
    private static let crowdLimit = 2 << 3
    private static let mostFailures: UInt8 = 10

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

    package mutating func note(success: Bool, for expectation: Expectation) {
        if expectation == .reply { Self.note(success, &reply) } else { Self.note(success, &request) }
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
