/// The tables that people read.
struct Report {
    let results: Results

    func print() {
        for load in results.loads { printLoad(load) }
        printRatios()
        printThroughput()
        printLatency()
        printConditions()
    }

    private func printLoad(_ load: Load) {
        var table = Table([
            load.name, "req/s", "p50 us", "p99", "p99.9", "CPU us/req", "user", "system", "calls/req", "RSS MB",
            "generator",
            "of core", "foreign",
        ])
        for name in results.names[load] ?? [] {
            guard let cell = results.cell(load, name) else { continue }
            let cpu = cell.median(\.proxy)
            let user = cell.median(\.proxyUser)
            let isDirect = name.kind == .direct
            table.add([
                name.text, short(cell.median(\.requestsPerSecond)), short(cell.median(\.median)),
                short(cell.median(\.p99)), short(cell.median(\.p999)), fixed(cpu, cpu < 10 ? 3 : 1),
                isDirect ? "-" : fixed(user, 2), isDirect ? "-" : fixed(cpu - user, 2),
                results.calls(load, name).map { fixed($0, 3) } ?? "-",
                isDirect ? "-" : fixed(cell.median(\.residentBytes) / 1_048_576, 1), fixed(cell.median(\.generator), 3),
                percent(cell.median(\.generatorShare)), percent(cell.median(\.foreign)),
            ])
        }
        Console.out(table.text + "\n")
    }

    private func percent(_ share: Double) -> String { fixed(share * 100, 0) + "%" }

    // MARK: Ratios

    private func printRatios() {
        var table = Table(["CPU of tarn / peer"] + Target.Peer.allCases.flatMap { [$0.name, "floor", "goal", ""] })
        var hasRatio = false
        for target in Target.all {
            var row = [target.title]
            for peer in Target.Peer.allCases {
                let limit = target.limits[peer]!
                let kind = SystemName.Kind(rawValue: peer.rawValue)!
                let ratios = [target.get, target.set].compactMap { load in
                    load.flatMap { results.ratio($0, to: SystemName(kind, shards: peer.shards)) }
                }
                hasRatio = hasRatio || !ratios.isEmpty
                row += [
                    ratios.isEmpty ? "-" : ratios.map { fixed($0, 2) }.joined(separator: " "), fixed(limit.floor, 2),
                    fixed(limit.goal, 2), ratios.max().map { Self.verdict($0, limit) } ?? "",
                ]
            }
            table.add(row)
        }
        guard hasRatio else { return }
        Console.out(table.text)
        Console.out("Two figures: GET and SET. Relays with 1 shard, the others with 2. The worse one is judged.\n")
    }

    private static func verdict(_ ratio: Double, _ limit: (floor: Double, goal: Double)) -> String {
        ratio <= limit.goal ? "goal" : ratio <= limit.floor ? "floor" : "MISSED"
    }

    private func printThroughput() {
        var table = Table(["throughput of tarn / peer, \(Target.throughputLoad.name)", "ratio", "floor", ""])
        var hasRatio = false
        for (peer, floor) in Target.throughput {
            guard let ratio = results.throughputRatio(Target.throughputLoad, to: peer) else { continue }
            hasRatio = true
            table.add([peer.text, fixed(ratio, 2), fixed(floor, 2), ratio >= floor ? "floor" : "MISSED"])
        }
        if hasRatio { Console.out(table.text + "\n") }
    }

    /// Proxies only: a server without one is no rival.
    private func printLatency() {
        var table = Table(["latency of tarn and the best other proxy", "p50", "best", "p99", "best"])
        var hasRow = false
        for load in results.loads where load.connections == 1 || load.rate > 0 {
            let cells = (results.names[load] ?? []).filter { $0.kind != .direct }
                .compactMap { name in results.cell(load, name).map { (name, $0) } }
            let own = cells.filter { $0.0.kind == .tarn }.map(\.1)
            let others = cells.filter { !$0.0.kind.isTarn }.map(\.1)
            guard !own.isEmpty, !others.isEmpty else { continue }
            hasRow = true
            table.add(
                [load.name]
                    + [\Sample.median, \Sample.p99].flatMap { value in
                        [own, others].map { cells in short(cells.map { $0.median(value) }.min() ?? 0) }
                    })
        }
        if hasRow { Console.out(table.text + "\n") }
    }

    private func printConditions() {
        let cells = results.loads.flatMap { load in (results.names[load] ?? []).compactMap { results.cell(load, $0) } }
        let foreign = cells.flatMap(\.samples).map(\.foreign).sorted()
        guard let last = foreign.last else { return }
        let tenth = foreign[foreign.count * 9 / 10]
        Console.out(
            "Others took \(percent(Statistics.median(foreign))) of the machine in the median sample, at most "
                + "\(percent(tenth)) in nine of ten, \(percent(last)) in the worst.")
        if let problem = results.callsProblem { Console.out("System calls: \(problem).") }
    }
}
