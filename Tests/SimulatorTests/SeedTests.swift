import Simulator
import Testing

struct SeedTests {
    /// Seeds that once showed a fault in the product's decisions. A change of the simulator changes what a seed tells,
    /// so what they found has unit tests, too; the seeds cost little and are kept.
    private static let found: [(seed: UInt64, what: String)] = [
        (1, "a node that came back was voted down again at once; a switchover was done while it held"),
        (17, "a replica was placed in the rack of its primary, whose node was down"),
        (39, "a node had a lease for ever, from a group of two, when the third joined"),
        (51, "a proxy that hadn't heard of new replicas wrote without a lease"),
        (186, "the same, with the node's manager dead"),
        (219, "replicas were dropped in the middle of a switchover"),
        (327, "a lease for ever, with a node that was paused"),
        (105_295, "a switchover didn't ask a node from which the endpoint had moved away"),
        (106_015, "the same"),
        (378, "a leader whose clock had jumped gave up all actions"),
        (14, "a node that was removed voted for ever"),
        (201_410, "a shard couldn't be moved back, and maintenance didn't end"),
        (302_772, "the same while nothing went wrong"),
        (200_186, "a removal had failed, and the node was about to leave for ever"),
        (202_085, "a node that went down while it left lost its only copy"),
        (202_101, "the same"),
        (501_634, "a group shrank by a removal that one in it had not heard of"),
        (1621, "the same"),
        (503_928, "two nodes left together, with room for either"),
        (301_297, "a node was removed while its proxy still wrote without a lease"),
        (7_002_945, "a failover while a database was created and the routes of the database waited for each other"),
    ]

    @Test(arguments: found.map(\.seed)) func whatWasFoundIsFoundNoMore(seed: UInt64) {
        let outcome = Simulation(SimulationSettings(seed: seed, span: .seconds(72))).run()
        #expect(outcome.violation == nil, "see: simulate --seed \(seed)")
    }

    /// As many as a development run can wait for; `TARN_SEEDS` asks for more, and for others.
    @Test func freshSeedsFindNothing() async {
        let sum = await SeedRun(seeds: Seeds.wanted, span: .seconds(72)).run(threads: 2)
        let violated = sum.violated.map { "seed \($0.settings.seed): \($0.violation ?? "")" }
        #expect(violated.isEmpty, "see: simulate --seed N; \(violated)")
        #expect(sum.runs == Seeds.wanted.count && sum.failovers > 0 && sum.writes.acknowledged > 0)
    }
}
