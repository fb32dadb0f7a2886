/// What is kept of a run in which something was wrong, so that a person can find out why.
struct FaultStory {
    let result: FaultRun.Result
    let fault: String
    let serial: Int

    /// In `directory`: what was done, what was lost and when, and the end of every node's logs.
    func write(to directory: String, _ lab: FaultLab) throws {
        try Files.makeDirectory(directory)
        let path = "\(directory)/\(fault)-\(serial)"
        try Files.write(text, to: path + ".txt")
        try Self.keep(lab, in: path + ".logs")
    }

    /// What the cluster says of itself, and the end of every node's logs.
    static func keep(_ lab: FaultLab, in directory: String) throws {
        try Files.makeDirectory(directory)
        let questions = [["status"], ["action", "list"], ["shard", "list"], ["verify"]]
        for question in questions {
            var command = lab.client.command(question)
            command.limit = .seconds(20)
            let answer = try command.run()
            let name = question.joined(separator: "-")
            try Files.write(answer.output + answer.errors, to: "\(directory)/\(name).txt")
        }
        for node in lab.nodes {
            let logs = lab.cluster.prefix(node) + "/var/log/tarn"
            for name in Files.list(logs) where name.hasSuffix(".log") {
                let lines = (Files.text("\(logs)/\(name)") ?? "").split(separator: "\n").suffix(300)
                try Files.write(lines.joined(separator: "\n") + "\n", to: "\(directory)/node\(node)-\(name)")
            }
        }
    }

    private var text: String {
        var lines = ["\(fault): \(result.what)"]
        if let failure = result.failure { lines.append("not whole: \(failure)") }
        for outcome in result.outcomes {
            let report = outcome.report
            lines.append("")
            lines.append(
                "\(outcome.kind.name): \(report.acknowledgedWrites) acknowledged, \(report.lost.count) lost, "
                    + "\(report.duplicated.count) duplicated, \(report.undead.count) undead, "
                    + "\(report.strange.count) strange, \(report.misplaced.count) misplaced, "
                    + "\(report.split.count) by two primaries, \(report.stale.count) stale reads, "
                    + "\(report.rolledBack) rolled back, \(report.unknown) unknown of which \(report.unknownDone) done")
            for (kind, count) in outcome.errors.sorted(by: { $0.value > $1.value }) {
                lines.append("  \(count) \(kind)")
            }
            guard let history = result.histories[outcome.kind.name] else { continue }
            for (title, elements) in [
                ("lost", report.lost), ("duplicated", report.duplicated), ("undead", report.undead),
                ("misplaced", report.misplaced), ("by two primaries", report.split),
            ] where !elements.isEmpty {
                lines.append("  \(title):")
                lines += Self.lines(of: Set(elements), history)
            }
            lines += report.stale.prefix(50).map { "  stale: \(Self.line($0))" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(of elements: Set<Int>, _ history: History) -> [String] {
        let operations = history.operations.filter { operation in
            switch operation.kind {
            case .append(_, let element), .write(_, let element): elements.contains(element)
            case .last, .read: false
            }
        }.sorted { $0.start < $1.start }
        let shown = operations.prefix(60).map { "    \(line($0))" }
        return shown + (operations.count > 60 ? ["    … \(operations.count) in all, the last:"] : [])
            + (operations.count > 60 ? operations.suffix(3).map { "    \(line($0))" } : [])
    }

    private static func line(_ operation: Operation) -> String {
        let times = [operation.start, operation.end].map { "\($0 / 1_000_000)" }.joined(separator: "-")
        return
            "\(times) ms, client \(operation.client), shard \(operation.shard): \(operation.kind), \(operation.outcome)"
    }
}
