import ClusterModel
import ManagerCore
import Primitives
import Testing

struct ActionMachineTests {
    private let world: World
    private let action: ActionRecord
    private let database: DatabaseConfiguration
    /// Hosts of the one shard and its replica, and a node that only serves the endpoint.
    private let primary: NodeID
    private let replica: NodeID
    private let proxy: NodeID

    init() throws {
        var world = World(nodes: 3)
        database = try world.create(.named("orders", replicated: true))
        action = world.state.unfinishedActions(of: database.id)[0]
        primary = database.shards[0].node
        replica = database.shards[1].node
        proxy = Set([1, 2, 3].map { NodeID($0) }).subtracting([primary, replica]).first!
        self.world = world
    }

    private func step(
        _ answers: [NodeID: NodeProgress], kind: ActionRecord.Kind = .createDatabase, after seconds: Int64 = 1
    ) -> ActionStep {
        var action = action
        action.kind = kind
        return ActionMachine.next(
            action, database: database, answers: answers, age: seconds * 1000)
    }

    private var done: NodeProgress { .applied(action.epoch) }

    @Test func allNodesAreAskedAndAllDoneIsDone() {
        #expect(action.nodesToAsk(in: world.state) == [NodeID(1), NodeID(2), NodeID(3)])
        #expect(step([primary: done, replica: .applied(action.epoch.next), proxy: done]) == .complete)
    }

    @Test func anOlderEpochIsWaitedFor() {
        let old = NodeProgress.applied(Epoch(action.epoch.rawValue - 1))
        guard case .wait(let progress, _) = step([primary: done, replica: old, proxy: done]) else {
            Issue.record("did not wait")
            return
        }
        #expect(progress == 66)
    }

    @Test func aNodeThatOnlyServesTheEndpointDoesNotHoldUpACreate() {
        #expect(step([primary: done, replica: done, proxy: .unreachable("down")]) == .complete)
        let absent = step([primary: done, proxy: done])
        #expect(absent == .wait(progress: 66, message: "node \(replica) can't be reached: no answer"))
        #expect(
            step([primary: done, proxy: done], after: 301)
                == .fail(message: "gave up waiting: node \(replica) can't be reached: no answer"))
    }

    @Test func aFailureEndsACreateAndNotAFailover() {
        let answers = [primary: done, replica: NodeProgress.failed("disk full"), proxy: done]
        #expect(step(answers) == .fail(message: "node \(replica): disk full"))
        #expect(step(answers, kind: .failover) == .wait(progress: 66, message: "node \(replica): disk full"))
    }

    @Test func aDeadNodeDoesNotHoldUpADelete() {
        let answers = [primary: done, replica: NodeProgress.unreachable("down"), proxy: done]
        #expect(step(answers, kind: .deleteDatabase) == .complete)
        let busy = [primary: NodeProgress.waiting("stopping"), replica: done, proxy: done]
        #expect(step(busy, kind: .deleteDatabase) == .wait(progress: 66, message: "node \(primary): stopping"))
    }

    @Test func aRecordThatIsGoneLeavesNothingToDo() {
        #expect(ActionMachine.next(action, database: nil, answers: [:], age: 0) == .complete)
    }
}
