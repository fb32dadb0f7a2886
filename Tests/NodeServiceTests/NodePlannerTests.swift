import ClusterModel
import NodeLayout
import Primitives
import ProxyControl
import ShardControl
import Testing

@testable import NodeService

/// One database with a primary (shard 1) on node 1 and, where replicated, its replica (shard 2) on node 2.
@Suite struct NodePlannerTests {
    private let paths = NodePaths(prefix: "/n")

    private func planner(_ node: Int = 1, lost: Set<NodeID> = []) -> NodePlanner {
        NodePlanner(
            node: NodeID(node), address: "10.0.0.\(node)", paths: paths,
            addresses: [NodeID(1): "10.0.0.1", NodeID(2): "10.0.0.2"], lost: lost)
    }

    private func database(
        replicated: Bool = false, swapped: Bool = false, status: DatabaseConfiguration.Status = .pending,
        endpoint: [Int] = [1, 2], epoch: Int = 5, memory: ByteCount = .megabytes(64)
    ) -> DatabaseConfiguration {
        var shards = [
            ShardConfiguration(id: ShardID(1), role: .primary, node: NodeID(1), slots: .all, port: 20001)
        ]
        if replicated {
            shards.append(ShardConfiguration(id: ShardID(2), role: .replica, node: NodeID(2), slots: .all, port: 20002))
        }
        if swapped {
            shards[0].role = .replica
            shards[1].role = .primary
        }
        let policy = DatabasePolicy(name: "db", memoryLimit: memory, isReplicated: replicated, password: "secret")
        return DatabaseConfiguration(
            id: DatabaseID(9), epoch: Epoch(epoch), policy: policy, status: status, shards: shards,
            endpoint: EndpointConfiguration(port: 12000, nodes: endpoint.map { NodeID($0) }),
            secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"), createdAt: WallTime(milliseconds: 0),
            changedAt: WallTime(milliseconds: 0))
    }

    private func settings(_ shard: Int, _ database: DatabaseConfiguration, on node: Int = 1) -> ShardSettings {
        planner(node).settings(of: database.shards[shard - 1], in: database)
    }

    private func file(_ shard: Int, _ database: DatabaseConfiguration, on node: Int = 1) -> String {
        ShardConfigurationFile.text(settings(shard, database, on: node))
    }

    private func information(_ text: String) throws -> ShardInformation { try ShardInformation(parsing: text) }
    private func asPrimary(_ rest: String = "") throws -> ShardInformation { try information("role:master\n\(rest)") }
    private func asReplica(link: String, of host: String = "10.0.0.1", port: Int = 20001) throws -> ShardInformation {
        try information("role:slave\nmaster_host:\(host)\nmaster_port:\(port)\nmaster_link_status:\(link)")
    }

    /// The proxy is told; and shards refuse what could only wait in vain where that is what was asked for.
    @Test(arguments: Durability.allCases) func durabilityReachesProxyAndShards(durability: Durability) {
        var database = database(replicated: true)
        database.policy.durability = durability
        #expect(planner().routes(of: database).durability == durability)
        for shard in [1, 2] {  // A replica may be the primary soon.
            let lines = file(shard, database, on: shard).split(separator: "\n")
            #expect(lines.contains("min-replicas-to-write \(durability == .replica ? 1 : 0)"))
        }
    }

    /// Its replica is the old primary, which follows when the change is over. Who lost the primary refuses at once.
    @Test(arguments: [true, false]) func whoBecomesThePrimaryAsPlannedRefusesNothingUntilItsReplicaIsThere(
        isPlanned: Bool
    ) throws {
        var database = database(replicated: true, swapped: true, status: .active, endpoint: [1])
        database.policy.durability = .replica
        let refusing = file(2, database, on: 2)
        database.transitions = [
            ShardTransition(
                slots: .all, from: ShardID(1), to: ShardID(2), isPlanned: isPlanned, phase: .promote,
                since: WallTime(milliseconds: 0))
        ]
        func plan(_ text: String, _ information: ShardInformation) -> NodePlan {
            planner(2).plan(
                database, epoch: Epoch(5), observed([2: shard(.running, file: text, information)], openGates: [2]))
        }
        let promotion = plan(refusing, try asReplica(link: "up"))
        var taking = settings(2, database, on: 2)
        taking.refusesWritesAlone = false
        let change = ShardChanges(parameters: [ShardParameter("min-replicas-to-write", "0")])
        #expect(
            promotion.shards[ShardID(2)]
                == (isPlanned ? [.promote, .change(change), .writeConfiguration(taking)] : [.promote]))
        guard isPlanned else { return }

        database.transitions = []
        let alone = plan(ShardConfigurationFile.text(taking), try asPrimary())
        #expect(alone.shards.isEmpty && !alone.missing.isEmpty)
        let replica = "connected_slaves:1\nslave0:ip=10.0.0.1,port=20001,state=online,offset=1,lag=0"
        let followed = plan(ShardConfigurationFile.text(taking), try asPrimary(replica))
        let back = ShardChanges(parameters: [ShardParameter("min-replicas-to-write", "1")])
        #expect(followed.shards[ShardID(2)] == [.change(back), .writeConfiguration(settings(2, database, on: 2))])
        // Later it is the replica that is gone, and nothing is to wait in vain.
        #expect(plan(refusing, try asPrimary()).shards.isEmpty)
    }

    /// Else it could confirm a write that the replica lacks.
    @Test func aCopyIsFilledFromTheReplicaWhereWritesWaitForThat() throws {
        var database = database(replicated: true, status: .active)
        database.shards.append(
            ShardConfiguration(
                id: ShardID(3), role: .replica, node: NodeID(1), slots: .all, port: 20003, isCopying: true))
        let (primary, replica) = (ShardPeer(host: "10.0.0.1", port: 20001), ShardPeer(host: "10.0.0.2", port: 20002))
        #expect(settings(3, database).primary == primary)
        database.policy.durability = .replica
        #expect(settings(3, database).primary == replica && settings(2, database).primary == primary)
        #expect(planner(lost: [NodeID(2)]).settings(of: database.shards[2], in: database).primary == primary)

        // It takes the primary's place. The replica gives it its data until it is one.
        database.shards[0].role = .replica
        database.shards[2].role = .primary
        database.shards[2].isCopying = false
        database.transitions = [
            ShardTransition(
                slots: .all, from: ShardID(1), to: ShardID(3), isPlanned: true, phase: .promote,
                since: WallTime(milliseconds: 0))
        ]
        func steps(attached: String) throws -> [NodeStep]? {
            let found = try information(
                "role:slave\nmaster_host:10.0.0.1\nmaster_port:20001\nmaster_link_status:up\n\(attached)")
            return planner(2).plan(
                database, epoch: Epoch(5), observed([2: shard(.running, file: file(2, database, on: 2), found)])
            ).shards[ShardID(2)]
        }
        #expect(try steps(attached: "slave0:ip=10.0.0.1,port=20003,state=online,offset=1,lag=0") == nil)
        #expect(try steps(attached: "connected_slaves:0") == [.follow(ShardPeer(host: "10.0.0.1", port: 20003))])
    }

    /// Requests are held until it isn't.
    @Test func aReplicaThatWasReplacedIsMissedWhileItIsAttached() throws {
        var database = database(replicated: true, status: .active)
        database.policy.durability = .replica
        database.shards[1] = ShardConfiguration(
            id: ShardID(3), role: .replica, node: NodeID(2), slots: .all, port: 20003)
        func missing(_ phase: ShardTransition.Phase) throws -> Int {
            database.transitions = [
                ShardTransition(
                    slots: .all, from: ShardID(1), to: ShardID(3), isPlanned: true, phase: phase,
                    since: WallTime(milliseconds: 0))
            ]
            let copy = "slave0:ip=10.0.0.2,port=20003,state=online,offset=1,lag=0"
            let replaced = "slave1:ip=10.0.0.2,port=20002,state=online,offset=1,lag=0"
            return try ["\(copy)\n\(replaced)", copy].map { attached in
                let found = shard(.running, file: file(1, database), try asPrimary(attached))
                return plan(database, observed([1: found], inForce(database))).missing.count
            }
            .reduce(0) { $0 * 10 + $1 }
        }
        #expect(try missing(.replace) == 10)
        #expect(try missing(.hold) == 0)
    }

    /// Not when something still acknowledges, nor where nobody waits for that.
    @Test(arguments: [Durability.replica, .async]) func replicasOfLostNodesAreDetached(durability: Durability) throws {
        var database = database(replicated: true, status: .active)
        database.policy.durability = durability
        func steps(_ replicas: String, lost: Set<NodeID> = [NodeID(2)]) throws -> [NodeStep]? {
            let found = shard(.running, file: file(1, database), try asPrimary(replicas))
            return planner(lost: lost).plan(database, epoch: Epoch(5), observed([1: found], inForce(database)))
                .shards[ShardID(1)]
        }
        let gone = "slave0:ip=10.0.0.2,port=20002,state=online,offset=1,lag=2"
        #expect(try steps(gone) == (durability == .replica ? [.detachReplicas] : nil))
        #expect(try steps(gone, lost: []) == nil)
        #expect(try steps("slave0:ip=10.0.0.2,port=20002,state=online,offset=1,lag=1") == nil)
        #expect(try steps("\(gone)\nslave1:ip=10.0.0.1,port=20003,state=online,offset=1,lag=2") == nil)
        #expect(try steps("connected_slaves:0") == nil)
    }

    private func shard(
        _ process: ShardObservation.Process, file: String?, _ information: ShardInformation? = nil
    ) -> ShardObservation {
        ShardObservation(
            process: process, configuration: file, directoryExists: file != nil, information: information)
    }

    private func observed(
        _ shards: [Int: ShardObservation], _ routes: RoutesObservation = RoutesObservation(), openGates: Set<Int> = []
    ) -> NodeObservation {
        let shards = Dictionary(uniqueKeysWithValues: shards.map { (ShardID($0.key), $0.value) })
        return NodeObservation(shards: shards, routes: routes, openGates: Set(openGates.map { ShardID($0) }))
    }

    private func inForce(_ database: DatabaseConfiguration, node: Int = 1) -> RoutesObservation {
        RoutesObservation(routes: planner(node).routes(of: database), applied: database.epoch)
    }

    private func plan(
        _ wanted: DatabaseConfiguration?, _ observation: NodeObservation, node: Int = 1
    ) -> NodePlan {
        planner(node).plan(wanted, epoch: Epoch(5), observation)
    }

    // MARK: - Creating

    @Test func aNewShardIsWrittenAndStarted() {
        let database = database()
        let plan = plan(database, observed([1: shard(.startable, file: nil)]))
        #expect(plan.shards == [ShardID(1): [.writeConfiguration(settings(1, database)), .start(.primary)]])
        #expect(plan.routes == nil)
        #expect(!plan.isSettled)
    }

    @Test func aReplicaOfANewDatabaseWaitsForItsPrimaryToListen() {
        let database = database(replicated: true)
        let plan = plan(database, observed([2: shard(.startable, file: nil)]), node: 2)
        let settings = settings(2, database, on: 2)
        let primary = ShardPeer(host: "10.0.0.1", port: 20001)
        #expect(settings.primary == primary)
        #expect(plan.shards == [ShardID(2): [.writeConfiguration(settings), .awaitPeer(primary), .start(.replica)]])
        // The endpoint serves the primary, which is elsewhere: nothing to wait for.
        #expect(plan.routes == .set(planner(2).routes(of: database)))
    }

    @Test func aShardThatDoesNotAnswerYetKeepsTheNewEndpointClosed() {
        let database = database()
        let plan = plan(database, observed([1: shard(.running, file: file(1, database))]))
        #expect(!plan.hasSteps)
        #expect(plan.missing == ["shard 1 doesn't answer yet", "the endpoint waits for its shards"])
    }

    @Test func aShardThatAnswersOpensTheEndpoint() throws {
        let database = database()
        let found = observed([1: shard(.running, file: file(1, database), try asPrimary())])
        let plan = plan(database, found)
        #expect(plan.shards.isEmpty && plan.missing.isEmpty)
        #expect(plan.routes == .set(planner().routes(of: database)))
    }

    @Test func settled() throws {
        let database = database()
        let found = observed([1: shard(.running, file: file(1, database), try asPrimary())], inForce(database))
        #expect(plan(database, found).isSettled)
    }

    @Test func routesNameSocketsHereAndPortsElsewhere() {
        let database = database(replicated: true)
        let here = planner().routes(of: database)
        #expect(here.shards.map(\.address) == [.local(path: "/n/var/lib/tarn/shards/1/shard.sock")])
        #expect(here.listenHost == "10.0.0.1" && here.port == 12000 && here.epoch == Epoch(5))
        #expect(here.password == "secret" && here.shardPassword == "p")
        let there = planner(2).routes(of: database)
        #expect(there.shards.map(\.address) == [.remote(host: "10.0.0.1", port: 20001)])
    }

    @Test func aNodeOutsideTheEndpointHasNoRoutes() throws {
        let database = database(endpoint: [2])
        let shards = [1: shard(.running, file: file(1, database), try asPrimary())]
        #expect(plan(database, observed(shards)).isSettled)
        let left = plan(database, observed(shards, inForce(database)))
        #expect(left.routes == .remove(Epoch(5)))
    }

    @Test func unconfirmedAndRefusedRoutes() throws {
        let database = database()
        let shards = [1: shard(.running, file: file(1, database), try asPrimary())]
        var routes = inForce(database)
        routes.applied = Epoch(4)
        #expect(plan(database, observed(shards, routes)).missing == ["the proxy has not taken over the routes yet"])
        routes.refusal = "port taken"
        let refused = plan(database, observed(shards, routes))
        #expect(refused.failures.count == 1 && refused.routes == .set(planner().routes(of: database)))
    }

    // MARK: - Changing

    @Test func changedSettingsGoToTheProcessBeforeTheFile() throws {
        let old = database(status: .active)
        let new = database(status: .active, epoch: 6, memory: .megabytes(32))
        let found = observed([1: shard(.running, file: file(1, old), try asPrimary())], inForce(old))
        let plan = plan(new, found)
        let changes = ShardChanges(parameters: [ShardParameter("maxmemory", "33554432")])
        #expect(plan.shards == [ShardID(1): [.change(changes), .writeConfiguration(settings(1, new))]])
        #expect(plan.routes == .set(planner().routes(of: new)))
    }

    @Test func aLoadingShardIsLeftAlone() throws {
        let database = database(status: .active)
        let found = observed(
            [1: shard(.running, file: nil, try asPrimary("loading:1"))], inForce(database))
        let plan = plan(database, found)
        #expect(!plan.hasSteps && plan.missing == ["shard 1 is loading its data"])
    }

    @Test func aHeldShardIsNotStartedAndKeepsItsRoutes() {
        let database = database(replicated: true, status: .active)
        let found = observed([1: shard(.waiting("is down"), file: file(1, database))], inForce(database))
        let plan = plan(database, found)
        #expect(!plan.hasSteps && plan.missing == ["shard 1 is down"])
    }

    @Test func aFailingShardIsAFailure() {
        let database = database()
        var dead = shard(.waiting("is down"), file: file(1, database))
        dead.isFailing = true
        #expect(plan(database, observed([1: dead])).failures.count == 1)
    }

    @Test func aReplicaWithoutLinkIsMissing() throws {
        let database = database(replicated: true, status: .active)
        for (information, isMissing) in [
            (try asReplica(link: "down"), true), (try asReplica(link: "up"), false),
        ] {
            let found = observed(
                [2: shard(.running, file: file(2, database, on: 2), information)], inForce(database, node: 2))
            let plan = plan(database, found, node: 2)
            #expect(!plan.hasSteps && plan.isSettled == !isMissing)
        }
    }

    @Test func aReplicaOfSomebodyElseIsRedirected() throws {
        let database = database(replicated: true, status: .active)
        let found = observed(
            [2: shard(.running, file: file(2, database, on: 2), try asReplica(link: "up", of: "10.0.0.9"))],
            inForce(database, node: 2))
        let primary = ShardPeer(host: "10.0.0.1", port: 20001)
        #expect(plan(database, found, node: 2).shards == [ShardID(2): [.follow(primary)]])
    }

    // MARK: - Swapping roles

    @Test func anOrphanedReplicaIsPromotedAndThenRoutedTo() throws {
        let old = database(replicated: true, status: .active)
        let new = database(replicated: true, swapped: true, status: .active, epoch: 6)
        let found = observed(
            [2: shard(.running, file: file(2, old, on: 2), try asReplica(link: "down"))], inForce(old, node: 2))
        let plan = plan(new, found, node: 2)
        #expect(plan.shards == [ShardID(2): [.promote, .writeConfiguration(settings(2, new, on: 2))]])
        #expect(plan.routes == .set(planner(2).routes(of: new)))
    }

    private func changing(
        _ phase: ShardTransition.Phase, planned: Bool, epoch: Int = 6
    ) -> DatabaseConfiguration {
        var database = database(
            replicated: true, swapped: phase == .promote, status: .activeChangePending, epoch: epoch)
        database.transitions = [
            ShardTransition(
                slots: .all, from: ShardID(1), to: ShardID(2), isPlanned: planned, phase: phase,
                since: WallTime(milliseconds: 0))
        ]
        if !planned { database.shards[0].isFenced = true }
        return database
    }

    @Test func afterAFailoverTheReplicaWaitsForTheGateAndRoutesForNothing() throws {
        let old = database(replicated: true, status: .active)
        let new = changing(.promote, planned: false)
        // Its link may still stand: the old primary's node is cut off from the cluster, not from here.
        let shards = [2: shard(.running, file: file(2, old, on: 2), try asReplica(link: "up"))]
        let waiting = plan(new, observed(shards, inForce(old, node: 2)), node: 2)
        #expect(waiting.shards.isEmpty && waiting.missing.count == 1)
        let routes = planner(2).routes(of: new)
        #expect(waiting.routes == .set(routes) && waiting.routesGoFirst)
        #expect(routes.needsLease && routes.fenced == [ShardID(1)] && routes.shards.allSatisfy(\.isHeld))
        let open = plan(new, observed(shards, inForce(new, node: 2), openGates: [2]), node: 2)
        #expect(open.shards[ShardID(2)]?.first == .promote)
        let unasked = plan(new, observed([2: shard(.running, file: nil)], inForce(old, node: 2)), node: 2)
        #expect(unasked.routes == .set(routes), "a shard that doesn't answer keeps no fence from being set")
    }

    @Test func aPlannedChangeHoldsThenPromotesThenFollows() throws {
        let old = database(replicated: true, status: .active)
        let hold = changing(.hold, planned: true)
        let primary = [1: shard(.running, file: file(1, old), try asPrimary())]
        let held = plan(hold, observed(primary, inForce(old)))
        #expect(held.shards.isEmpty && held.routes == .set(planner().routes(of: hold)))
        #expect(planner().routes(of: hold).shards.map(\.shard) == [ShardID(1)])

        let promote = changing(.promote, planned: true, epoch: 7)
        let replica = [2: shard(.running, file: file(2, old, on: 2), try asReplica(link: "up"))]
        let promoting = plan(promote, observed(replica, inForce(hold, node: 2)), node: 2)
        #expect(promoting.shards[ShardID(2)]?.first == .promote)
        let waiting = plan(promote, observed(primary, inForce(promote)))
        #expect(waiting.shards.isEmpty && waiting.missing.count == 1, "two that follow each other would both refuse")

        let done = database(replicated: true, swapped: true, status: .active, epoch: 8)
        let following = plan(done, observed(primary, inForce(promote)))
        #expect(following.shards[ShardID(1)]?.first == .follow(ShardPeer(host: "10.0.0.2", port: 20002)))
    }

    @Test func aDeadOldPrimaryComesBackAsReplica() {
        let old = database(replicated: true, status: .active)
        let new = database(replicated: true, swapped: true, status: .active, epoch: 6)
        let plan = plan(new, observed([1: shard(.startable, file: file(1, old))], inForce(old)))
        #expect(plan.shards == [ShardID(1): [.writeConfiguration(settings(1, new)), .start(.replica)]])
        #expect(plan.routes == .set(planner().routes(of: new)))
    }

    @Test func noRoutesToAPrimaryThatMayBeAReplicaStill() {
        let old = database(replicated: true, status: .active)
        let new = database(replicated: true, swapped: true, status: .active, epoch: 6)
        let found = observed([2: shard(.running, file: file(2, old, on: 2))], inForce(old, node: 2))
        #expect(plan(new, found, node: 2).routes == nil)
    }

    // MARK: - Managers that were started again, and removal

    @Test func aRestartedManagerSetsRoutesWhateverTheShardsDo() {
        let database = database(status: .active)
        for process in [ShardObservation.Process.running, .waiting("is down")] {
            let plan = plan(database, observed([1: shard(process, file: file(1, database))]))
            #expect(plan.shards.isEmpty && plan.routes == .set(planner().routes(of: database)))
        }
    }

    @Test(arguments: [DatabaseConfiguration.Status.deletePending, .creationFailed])
    func removal(status: DatabaseConfiguration.Status) throws {
        let database = database(status: status)
        let found = observed([1: shard(.running, file: file(1, database), try asPrimary())], inForce(database))
        let plan = plan(database, found)
        #expect(plan.shards == [ShardID(1): [.remove]] && plan.routes == .remove(Epoch(5)))
        #expect(self.plan(nil, found) == plan)
    }

    @Test func removalIsDoneWhenNothingIsLeft() {
        let gone = shard(.startable, file: nil)
        #expect(plan(nil, observed([1: gone])).isSettled)
        let unconfirmed = plan(nil, observed([1: gone], RoutesObservation(removal: Epoch(5))))
        #expect(!unconfirmed.hasSteps && unconfirmed.missing.count == 1)
        var directory = gone
        directory.directoryExists = true
        #expect(plan(nil, observed([1: directory])).shards == [ShardID(1): [.remove]])
    }

    @Test func aShardThatMovedAwayIsRemoved() throws {
        let database = database(status: .active)
        let found = observed(
            [
                1: shard(.running, file: file(1, database), try asPrimary()),
                8: shard(.running, file: "", try asPrimary()),
            ], inForce(database))
        #expect(plan(database, found).shards == [ShardID(8): [.remove]])
    }
}
