import ClusterModel
import ManagerCore
import Primitives
import Testing

@Suite struct LivenessTests {
    private let high = DetectionProfile.high

    private func time(_ milliseconds: Int64) -> BootTime { BootTime(milliseconds: milliseconds) }

    @Test(arguments: [
        (1, 1, 1, false), (2, 2, 1, false), (3, 2, 2, true), (4, 3, 2, true), (5, 3, 3, true), (8, 5, 4, true),
        (1000, 5, 4, true),
    ])
    func groups(nodes: Int, majority: Int, blocking: Int, canOutvote: Bool) {
        let ids = (1...nodes).map { NodeID($0) }
        let group = WatchGroup(of: NodeID(nodes), nodes: ids)
        #expect(group.watchers == ids.dropLast().prefix(7).map { $0 })
        let circle = group.circles[0]
        #expect(group.circles.count == 1 && group.canOutvote == canOutvote)
        #expect(circle.majority == majority && circle.blockingCount == blocking)
        // Whoever grants a lease (a majority with the node itself) shares a watcher with those that vote.
        if canOutvote { #expect(circle.majority - 1 + circle.blockingCount > group.watchers.count) }
    }

    @Test func theLeaseLastsFromWhenItsHeartbeatWasSent() {
        let group = WatchGroup(of: NodeID(1), nodes: (1...5).map { NodeID($0) })
        var lease = ServingLease()
        func end(_ applied: Int = 0, of group: WatchGroup) -> BootTime? {
            lease.end(for: group, applied: Epoch(applied), profile: high)
        }
        #expect(end(of: group) == nil)
        lease.answered(by: NodeID(2), sentAt: time(1000), fence: .zero)
        #expect(end(of: group) == nil, "one answer and itself are two of five")
        lease.answered(by: NodeID(3), sentAt: time(1100), fence: .zero)
        #expect(end(of: group) == time(1000 + high.lease))
        lease.answered(by: NodeID(4), sentAt: time(1200), fence: .zero)
        #expect(end(of: group) == time(1100 + high.lease))
        lease.answered(by: NodeID(4), sentAt: time(900), fence: .zero)
        #expect(end(of: group) == time(1100 + high.lease), "late and older")
        lease.revoke()
        #expect(end(of: group) == nil)
        #expect(end(of: WatchGroup(of: NodeID(1), nodes: [NodeID(1), NodeID(2)])) == .never)
    }

    @Test func anAnswerThatKnowsOfAFailoverCountsWhenTheProxyDoes() {
        let group = WatchGroup(of: NodeID(1), nodes: (1...3).map { NodeID($0) })
        var lease = ServingLease()
        func end(_ applied: Int = 0, of group: WatchGroup) -> BootTime? {
            lease.end(for: group, applied: Epoch(applied), profile: high)
        }
        lease.answered(by: NodeID(2), sentAt: time(1000), fence: Epoch(5))
        _ = end(5, of: group)
        lease.answered(by: NodeID(2), sentAt: time(2000), fence: Epoch(6))
        #expect(end(5, of: group) == time(1000 + high.lease))
        #expect(end(6, of: group) == time(2000 + high.lease))
    }

    /// What it sends arrives, and nothing reaches it: it is silent since it was last replied to.
    @Test func whoHearsNobodyIsNotHeard() throws {
        var world = World(nodes: 3)
        var watch = PeerWatch(own: NodeID(1))
        func steps(_ milliseconds: Int64) -> [PeerWatch.Step] {
            let now = time(milliseconds)
            _ = watch.heard(NodeID(3), lease: high.lease, at: now, in: world.state)
            return watch.steps(at: now, in: world.state, profile: high)
        }
        func heard(silence: Int64, at milliseconds: Int64) -> Bool {
            watch.heard(NodeID(2), lease: high.lease, silence: silence, at: time(milliseconds), in: world.state)
        }
        #expect(steps(0).isEmpty)
        #expect(heard(silence: 250, at: 100))
        for beat in 1...10 {
            #expect(steps(Int64(beat) * high.heartbeat).isEmpty)
            let now = Int64(beat) * high.heartbeat
            #expect(!heard(silence: now + 600, at: now))
        }
        #expect(steps(2750) == [.suspect(NodeID(2))])
        // Nor does it make us take the vote back.
        world.commit(try #require(Planner.suspect(NodeID(2), by: NodeID(1), in: world.state)))
        watch.ended(.suspect(NodeID(2)), isDone: true, at: time(2760))
        #expect(!heard(silence: 3000, at: 2800))
        #expect(steps(3000).isEmpty)
    }

    /// From a connection that hung in an earlier cut; it delayed the vote of the next one by two seconds.
    @Test func anOldHeartbeatIsNotHeard() {
        let world = World(nodes: 3)
        var watch = PeerWatch(own: NodeID(1))
        func heard(_ life: Int64, _ sentAt: Int64, at milliseconds: Int64) -> Bool {
            watch.heard(
                NodeID(2), lease: high.lease, stamp: PeerWatch.Stamp(life: life, sentAt: sentAt),
                at: time(milliseconds), in: world.state)
        }
        #expect(heard(7, 500, at: 0))
        #expect(heard(7, 750, at: 250))
        #expect(!heard(7, 600, at: 300))
        #expect(!heard(7, 750, at: 300))
        // After a restart of the machine its clock begins anew.
        #expect(heard(8, 10, at: 500))
        #expect(heard(8, 260, at: 750))
    }

    @Test func silenceBecomesAVoteAndVotesALoss() throws {
        var world = World(nodes: 3)
        let lost = NodeID(3)
        var watches = [NodeID(1): PeerWatch(own: NodeID(1)), NodeID(2): PeerWatch(own: NodeID(2))]
        func hears(_ node: NodeID, _ other: NodeID, at moment: Int64) -> Bool {
            watches[node]!.heard(other, lease: high.lease, at: time(moment), in: world.state)
        }
        func look(_ node: NodeID, at moment: Int64) -> [PeerWatch.Step] {
            watches[node]!.steps(at: time(moment), in: world.state, profile: high)
        }
        for moment in stride(from: Int64(0), to: 2500, by: 250) {
            for node in [NodeID(1), NodeID(2)] {
                let other = node == NodeID(1) ? NodeID(2) : NodeID(1)
                #expect(hears(node, other, at: moment))
                #expect(look(node, at: moment).isEmpty)
            }
        }
        #expect(look(NodeID(1), at: 2500) == [.suspect(lost)])
        #expect(look(NodeID(1), at: 2750).isEmpty, "it is under way")
        #expect(!hears(NodeID(1), lost, at: 2800))
        world.commit(try #require(Planner.suspect(lost, by: NodeID(1), in: world.state)))
        watches[NodeID(1)]!.ended(.suspect(lost), isDone: true, at: time(2900))
        #expect(Planner.settleLoss(of: lost, in: world.state, now: world.now) == nil, "one vote of two")
        world.commit(try #require(Planner.suspect(lost, by: NodeID(2), in: world.state)))
        #expect(look(NodeID(1), at: 3000) == [.settle(lost)])
        world.commit(try #require(Planner.settleLoss(of: lost, in: world.state, now: world.now)))
        #expect(world.state.nodes[lost]?.status == .down)
        #expect(Planner.withdraw(lost, by: NodeID(1), in: world.state) == nil)
        #expect(!hears(NodeID(2), lost, at: 3100))

        world.commit(try #require(Planner.readmit(lost, in: world.state, now: world.now)))
        #expect(world.state.nodes[lost]?.status == .active && world.state.suspicions.isEmpty)
        #expect(hears(NodeID(2), lost, at: 3200))
        #expect(Planner.readmit(lost, in: world.state, now: world.now) == nil)
    }

    @Test func aVoteThatLedToNothingIsWithdrawn() throws {
        var world = World(nodes: 3)
        let other = NodeID(2)
        var watch = PeerWatch(own: NodeID(1))
        func hears(_ other: NodeID, at moment: Int64) -> Bool {
            watch.heard(other, lease: high.lease, at: time(moment), in: world.state)
        }
        func look(at moment: Int64) -> [PeerWatch.Step] {
            watch.steps(at: time(moment), in: world.state, profile: high)
        }
        for moment in stride(from: Int64(0), through: 2500, by: 250) {
            _ = hears(NodeID(3), at: moment)
            _ = look(at: moment)
        }
        // The answer of the store was lost: perhaps the vote is there.
        watch.ended(.suspect(other), isDone: false, at: time(2600))
        world.commit(try #require(Planner.suspect(other, by: NodeID(1), in: world.state)))
        #expect(!hears(other, at: 2700))
        _ = hears(NodeID(3), at: 2700)
        #expect(look(at: 2750) == [.withdraw(other)])
        #expect(!hears(other, at: 2800), "not before it is gone")
        world.commit(try #require(Planner.withdraw(other, by: NodeID(1), in: world.state)))
        watch.ended(.withdraw(other), isDone: true, at: time(2900))
        #expect(hears(other, at: 3000))
        #expect(look(at: 3000).isEmpty)
    }

    @Test func whoSleptAccusesNobody() {
        let world = World(nodes: 3)
        var watch = PeerWatch(own: NodeID(1))
        func look(at moment: Int64) -> [PeerWatch.Step] {
            watch.steps(at: time(moment), in: world.state, profile: high)
        }
        #expect(look(at: 0).isEmpty)
        #expect(look(at: 30_000).isEmpty)
        #expect(look(at: 30_250).isEmpty)
    }

    @Test func aNodeWithALongerLeaseIsWaitedForLonger() {
        let world = World(nodes: 3)
        var watch = PeerWatch(own: NodeID(1))
        for node in [2, 3] { _ = watch.heard(NodeID(node), lease: 8000, at: time(0), in: world.state) }
        var steps: [PeerWatch.Step] = []
        for moment in stride(from: Int64(0), to: 10_000, by: 250) {
            steps += watch.steps(at: time(moment), in: world.state, profile: high)
        }
        #expect(steps.isEmpty)
        steps = watch.steps(at: time(10_000), in: world.state, profile: high)
        #expect(steps == [.suspect(NodeID(2)), .suspect(NodeID(3))])
    }

    @Test func theGateOpensWhenNobodyCanWriteToTheOldPrimary() throws {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("orders", replicated: true))
        var gate = PromotionGate(epoch: Epoch(9))
        func waits(at moment: Int64) -> [Int] {
            gate.waitsFor(database, in: world.state.nodes, at: time(moment), profile: high).map(\.rawValue)
        }
        #expect(waits(at: 0) == [1, 2, 3])
        gate.answered(.init(hasApplied: true, fence: Epoch(9)), by: NodeID(1), at: time(10))
        gate.answered(.init(hasApplied: false, fence: Epoch(9)), by: NodeID(2), at: time(10))
        #expect(waits(at: 20) == [2, 3])
        // Node 3 is silent: its watchers 1 and 2 know of the fence, so it gets no lease that lasts beyond.
        #expect(waits(at: 10 + high.suspicion) == [2])
        world.commit(try #require(Planner.setStatus(.down, of: NodeID(3), in: world.state, now: world.now)))
        #expect(waits(at: 20) == [2])
        gate.answered(.init(hasApplied: true, fence: Epoch(9)), by: NodeID(2), at: time(30))
        #expect(waits(at: 30) == [])
    }
}
