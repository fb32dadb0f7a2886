import Glibc
import Simulator

/// `simulate --seed N --hours H [--seeds COUNT] [--nodes 3...5] [--kind K] [--bug B] [--story] [--lines N]`
struct Options {
    var seed: UInt64 = 1
    var count: UInt64 = 1
    var hours = 0.02
    var nodes: Int?
    var kind: SimulationSettings.Kind?
    var bug: PlantedBug?
    var tellsAll = false
    var lines = 80
    var stopsAtFirst = false
    var threads = 2

    static let usage = """
        usage: simulate [--seed N] [--seeds COUNT] [--hours H] [--nodes 3...5] [--kind calm|single|chaos]
                        [--bug \(PlantedBug.allCases.map(\.rawValue).joined(separator: "|"))]
                        [--story] [--lines N] [--first] [--threads N]
        --seed     the first seed (1); a seed alone says what happens
        --seeds    how many seeds from there on (1)
        --hours    of cluster time in which things go wrong, for each seed (0.02)
        --story    tells a single seed from the beginning, violated or not
        --lines    of the story before a violation (80)
        --first    ends with the first violation
        """

    init?(_ words: [String]) {
        var words = words[...]
        while let word = words.popFirst() {
            switch word {
            case "--story": tellsAll = true
            case "--first": stopsAtFirst = true
            case "--seed", "--seeds", "--hours", "--nodes", "--kind", "--bug", "--lines", "--threads":
                guard let value = words.popFirst(), set(word, value) else { return nil }
            default: return nil
            }
        }
    }

    private mutating func set(_ name: String, _ value: String) -> Bool {
        switch name {
        case "--seed": return set(&seed, UInt64(value))
        case "--seeds": return set(&count, UInt64(value))
        case "--hours": return set(&hours, Double(value).flatMap { $0 > 0 && $0 < 10_000 ? $0 : nil })
        case "--nodes":
            nodes = Int(value)
            return nodes.map { (3...5).contains($0) } ?? false
        case "--kind":
            kind = SimulationSettings.Kind(rawValue: value)
            return kind != nil
        case "--bug":
            bug = PlantedBug(rawValue: value)
            return bug != nil
        case "--lines": return set(&lines, Int(value))
        default: return set(&threads, Int(value).flatMap { (1...256).contains($0) ? $0 : nil })
        }
    }

    private func set<Value>(_ place: inout Value, _ value: Value?) -> Bool {
        guard let value else { return false }
        place = value
        return true
    }

    var run: SeedRun {
        let span = Span(microseconds: Int64(hours * 3_600_000_000))
        return SeedRun(
            seeds: seed..<(seed + count), span: span, nodes: nodes, kind: kind, bug: bug, stopsAtFirst: stopsAtFirst)
    }
}

guard let options = Options(Array(CommandLine.arguments.dropFirst())) else {
    print(Options.usage)
    exit(2)
}
let run = options.run
let started = ContinuousClock.now
if options.tellsAll {
    let outcome = Simulation(run.settings(options.seed, keepsStory: true)).run()
    for line in outcome.story { print(line) }
    exit(outcome.violation == nil ? 0 : 1)
}
let sum = await run.run(threads: options.threads) { outcome in
    print(
        "seed \(outcome.settings.seed) (\(outcome.settings.kind.rawValue), \(outcome.settings.nodes) nodes): "
            + "\(outcome.violation ?? "")")
}
if let first = sum.violated.first {
    print("\nthe story of seed \(first.settings.seed), its end (all of it: --seed \(first.settings.seed) --story):")
    let outcome = Simulation(run.settings(first.settings.seed, keepsStory: true)).run()
    for line in outcome.story.suffix(options.lines) { print(line) }
}
let duration = ContinuousClock.now - started
print(
    "\(sum.runs) runs, \(sum.time.microseconds / 3_600_000_000) h of cluster time, \(sum.events) events, "
        + "\(sum.failovers) failovers, writes: \(sum.writes.acknowledged) acknowledged, \(sum.writes.failed) failed, "
        + "\(sum.writes.unknown) unknown; violations: \(sum.violated.count); took \(duration)")
exit(sum.violated.isEmpty ? 0 : 1)
