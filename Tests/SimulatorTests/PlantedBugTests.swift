import Simulator
import Testing

/// What the simulator is worth: each planted bug is found within a thousand seeds. They begin with one that is known to
/// find it, so that the test is quick; `dev test` tries those from 1 on, too.
struct PlantedBugTests {
    @Test(arguments: PlantedBug.allCases) func isFoundWithinAThousandSeeds(bug: PlantedBug) async throws {
        let seed = Self.known(bug)
        let run = SeedRun(seeds: seed..<(seed + 1000), span: .seconds(72), bug: bug, stopsAtFirst: true)
        let sum = await run.run(threads: 1)
        let first = try #require(sum.violated.first, "not found in \(sum.runs) runs")
        #expect(first.violation?.contains(Self.words(bug)) == true, "another bug was found: \(first.violation ?? "")")
        // The bug makes the difference, not the seed.
        var sound = first.settings
        sound.bug = nil
        #expect(Simulation(sound).run().violation == nil)
    }

    private static func known(_ bug: PlantedBug) -> UInt64 {
        switch bug {
        case .promotionWithoutFence: 11
        case .leaseWithoutFence: 300
        case .acknowledgementBeforeReplica: 19
        case .copyConfirms: 143
        }
    }

    private static func words(_ bug: PlantedBug) -> String {
        switch bug {
        case .promotionWithoutFence, .leaseWithoutFence: "two primaries"
        case .acknowledgementBeforeReplica, .copyConfirms: "was acknowledged"
        }
    }
}
