/// Outcomes of many runs, one row for each fault and kind of database, as Markdown.
struct FaultTable {
    private var rows: [(key: Key, outcomes: [FaultOutcome])] = []

    private struct Key: Equatable {
        var fault: String
        var kind: String
    }

    init(_ outcomes: [FaultOutcome] = []) { for outcome in outcomes { add(outcome) } }

    mutating func add(_ outcome: FaultOutcome) {
        let key = Key(fault: outcome.fault, kind: outcome.kind.name)
        if let index = rows.firstIndex(where: { $0.key == key }) {
            rows[index].outcomes.append(outcome)
        } else {
            rows.append((key, [outcome]))
        }
    }

    var isEmpty: Bool { rows.isEmpty }

    var markdown: String {
        let head = [
            "fault", "database", "runs", "gap p50 / p99 / max, ms", "longest command p50 / max, ms",
            "hit node's clients p50 / max, ms",
            "whole after p50 / max, s", "acknowledged", "lost", "duplicates", "undead", "stale", "two primaries",
            "errors",
        ]
        let lines = [head, head.map { _ in "---" }] + rows.map { row(of: $0.outcomes, $0.key) }
        return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }

    private func row(of outcomes: [FaultOutcome], _ key: Key) -> [String] {
        let reports = outcomes.map(\.report)
        let lostIn = reports.count { !$0.lost.isEmpty }
        let lost = reports.reduce(0) { $0 + $1.lost.count }
        func sum(_ part: (HistoryReport) -> Int) -> String { String(reports.reduce(0) { $0 + part($1) }) }
        return [
            key.fault, key.kind, String(outcomes.count),
            Self.milliseconds(outcomes.compactMap(\.gap), [0.5, 0.99, 1]),
            Self.milliseconds(outcomes.compactMap(\.stall), [0.5, 1]),
            Self.milliseconds(outcomes.compactMap(\.hitGap), [0.5, 1]), wholeAfter(outcomes),
            sum(\.acknowledgedWrites), lost == 0 ? "0" : "\(lost) in \(lostIn) runs", sum { $0.duplicated.count },
            sum { $0.undead.count + $0.strange.count + $0.misplaced.count }, sum { $0.stale.count },
            sum { $0.split.count }, Self.errors(outcomes),
        ]
    }

    private func wholeAfter(_ outcomes: [FaultOutcome]) -> String {
        let times = outcomes.compactMap { $0.wholeAfter?.milliseconds }
        let shown = [0.5, 1].map { share in
            times.percentile(share).map { Duration.milliseconds($0).tenths } ?? "-"
        }.joined(separator: " / ")
        let never = outcomes.count - times.count
        return never == 0 ? shown : shown + ", never in \(never)"
    }

    private static func milliseconds(_ nanoseconds: [Int64], _ shares: [Double]) -> String {
        guard !nanoseconds.isEmpty else { return "-" }
        return shares.map { String((nanoseconds.percentile($0) ?? 0) / 1_000_000) }.joined(separator: " / ")
    }

    /// The three most frequent kinds, with how often they came per run.
    private static func errors(_ outcomes: [FaultOutcome]) -> String {
        let all: [String: Int] = outcomes.reduce(into: [:]) { $0.merge($1.errors, uniquingKeysWith: +) }
        guard !all.isEmpty else { return "0" }
        let sorted = all.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let shown = sorted.prefix(3).map { "\($0.value) \($0.key)" }
        let rest = sorted.dropFirst(3).reduce(0) { $0 + $1.value }
        return (shown + (rest > 0 ? ["\(rest) others"] : [])).joined(separator: "; ")
            .replacing("|", with: "/")
    }
}
