import Testing

@testable import NodeService

@Suite struct RestartPolicyTests {
    private let zero = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { zero + .seconds(seconds) }

    /// Down since second 100, having run since second 0.
    private func downAtHundred() -> RestartPolicy {
        var policy = RestartPolicy()
        policy.started(at: zero)
        policy.exited(at: at(100))
        return policy
    }

    @Test func oneThatWasNeverStartedMayStart() {
        #expect(RestartPolicy().verdict(at: zero, hasReplicas: true, persists: false) == .start)
    }

    @Test func aReplicaOrALonePrimaryComesBackAtOnce() {
        #expect(downAtHundred().verdict(at: at(100), hasReplicas: false, persists: false) == .start)
    }

    @Test func aPrimaryWithReplicasWaits() {
        let policy = downAtHundred()
        for second in [100.0, 110, 100_000] {
            #expect(policy.verdict(at: at(second), hasReplicas: true, persists: false) == .hold(until: nil))
        }
        #expect(policy.verdict(at: at(100), hasReplicas: true, persists: true) == .hold(until: at(110)))
        #expect(policy.verdict(at: at(109.9), hasReplicas: true, persists: true) == .hold(until: at(110)))
        #expect(policy.verdict(at: at(110), hasReplicas: true, persists: true) == .start)
    }

    @Test func aReleaseHoldsForOneStart() {
        var policy = downAtHundred()
        policy.release()
        #expect(policy.verdict(at: at(101), hasReplicas: true, persists: false) == .start)
        policy.started(at: at(101))
        policy.exited(at: at(200))
        #expect(policy.verdict(at: at(200), hasReplicas: true, persists: false) == .hold(until: nil))
    }

    @Test func quickEndsAreFollowedByGrowingPauses() {
        var policy = RestartPolicy()
        var now = zero
        var pauses: [Duration] = []
        for _ in 0..<13 {
            policy.started(at: now)
            now += .milliseconds(10)
            policy.exited(at: now)
            switch policy.verdict(at: now, hasReplicas: false, persists: false) {
            case .start: pauses.append(.zero)
            case .backOff(let until):
                pauses.append(until - now)
                now = until
                #expect(policy.verdict(at: now, hasReplicas: false, persists: false) == .start)
            case .hold: Issue.record("held")
            }
        }
        #expect(pauses.prefix(4) == [.zero, .milliseconds(100), .milliseconds(200), .milliseconds(400)])
        #expect(pauses.last == .seconds(30))
        #expect(policy.isFailing)
        policy.reconfigured()
        #expect(!policy.isFailing)
    }

    @Test func anEndAfterGoodWorkStartsTheCountAnew() {
        var policy = RestartPolicy()
        for second in [0.0, 1, 2] {
            policy.started(at: at(second))
            policy.exited(at: at(second))
        }
        #expect(policy.isFailing)
        policy.started(at: at(10))
        policy.exited(at: at(20))
        #expect(!policy.isFailing)
        #expect(policy.verdict(at: at(20), hasReplicas: false, persists: false) == .start)
    }

    @Test func theSameEndToldTwiceCountsOnce() {
        var policy = RestartPolicy()
        policy.started(at: zero)
        for _ in 0..<5 { policy.exited(at: zero) }
        #expect(!policy.isFailing)
    }
}
