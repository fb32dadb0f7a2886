import Simulator
import Testing

struct DeterminismTests {
    @Test(arguments: [SimulationSettings.Kind.calm, .single, .chaos])
    func theSameSeedTellsTheSameStory(kind: SimulationSettings.Kind) {
        let settings = SimulationSettings(seed: 7, span: .seconds(40), kind: kind, keepsStory: true)
        let first = Simulation(settings).run()
        let second = Simulation(settings).run()
        #expect(first.story == second.story && first.events == second.events && !first.story.isEmpty)
        let other = Simulation(SimulationSettings(seed: 8, span: .seconds(40), kind: kind, keepsStory: true)).run()
        #expect(other.story != first.story)
    }

    /// Sets and dictionaries have another order in each process: what depends on one shows in this number, which a change of
    /// the simulator or of the decisions may change, and nothing else.
    @Test func theSameSeedTellsTheSameStoryInEveryProcess() {
        let settings = SimulationSettings(seed: 3, span: .seconds(40), nodes: 5, kind: .chaos, keepsStory: true)
        let outcome = Simulation(settings).run()
        var sum: UInt64 = 14_695_981_039_346_656_037
        for line in outcome.story {
            for byte in line.utf8 { sum = (sum ^ UInt64(byte)) &* 1_099_511_628_211 }
        }
        #expect(sum == 0, "the story changed: \(sum), \(outcome.story.count) lines")
    }
}
