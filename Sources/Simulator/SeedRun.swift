import Synchronization

/// Many runs, on as many threads as there are cores; what they find in order of their seeds.
package struct SeedRun: Sendable {
    package var seeds: Range<UInt64>
    package var span: Span
    package var nodes: Int?
    package var kind: SimulationSettings.Kind?
    package var bug: PlantedBug?
    /// Ends with the first violation.
    package var stopsAtFirst: Bool

    package init(
        seeds: Range<UInt64>, span: Span, nodes: Int? = nil, kind: SimulationSettings.Kind? = nil,
        bug: PlantedBug? = nil, stopsAtFirst: Bool = false
    ) {
        self.seeds = seeds
        self.span = span
        self.nodes = nodes
        self.kind = kind
        self.bug = bug
        self.stopsAtFirst = stopsAtFirst
    }

    package struct Sum: Sendable {
        package var runs = 0
        package var events = 0
        package var writes = WriteCounts()
        package var failovers = 0
        /// Cluster time.
        package var time = Span.zero
        /// In order of their seeds.
        package var violated: [Outcome] = []
    }

    package func settings(_ seed: UInt64, keepsStory: Bool = false) -> SimulationSettings {
        SimulationSettings(seed: seed, span: span, nodes: nodes, kind: kind, bug: bug, keepsStory: keepsStory)
    }

    /// - Parameter report: Told about each violation when it is found, from any thread.
    package func run(threads: Int, report: @escaping @Sendable (Outcome) -> Void = { _ in }) async -> Sum {
        let progress = Progress(first: seeds.lowerBound)
        await withDiscardingTaskGroup { group in
            for _ in 0..<threads {
                group.addTask { work(on: progress, report) }
            }
        }
        return progress.sum.withLock { sum in
            sum.violated.sort { $0.settings.seed < $1.settings.seed }
            return sum
        }
    }

    private func work(on progress: Progress, _ report: @Sendable (Outcome) -> Void) {
        while true {
            let seed = progress.next.add(1, ordering: .relaxed).oldValue
            guard seed < seeds.upperBound else { return }
            let outcome = Simulation(settings(seed)).run()
            let isOver = progress.sum.withLock { sum in
                sum.add(outcome)
                return stopsAtFirst && !sum.violated.isEmpty
            }
            if outcome.violation != nil { report(outcome) }
            if isOver { return }
        }
    }

    private final class Progress: Sendable {
        let next: Atomic<UInt64>
        let sum = Mutex(Sum())

        init(first: UInt64) { next = Atomic(first) }
    }
}

extension SeedRun.Sum {
    fileprivate mutating func add(_ outcome: Outcome) {
        runs += 1
        events += outcome.events
        failovers += outcome.failovers
        time = time + (outcome.time - .start)
        writes.acknowledged += outcome.writes.acknowledged
        writes.failed += outcome.writes.failed
        writes.unknown += outcome.writes.unknown
        if outcome.violation != nil { violated.append(outcome) }
    }
}
