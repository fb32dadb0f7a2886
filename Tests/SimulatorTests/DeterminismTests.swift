import Simulator
import Testing

/// Within one process; `dev test` compares two, which have their sets and dictionaries in other orders.
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
}
