/// Every load meets every system, in turns: what disturbs the machine for a while disturbs all of them.
struct LoadsPart {
    let options: Options
    let systems: Systems
    private(set) var results = Results()

    init(_ options: Options, _ systems: Systems) {
        self.options = options
        self.systems = systems
    }

    /// Which systems meet a load.
    private func names(for load: Load) -> [SystemName] {
        if let chosen = options.systems { return chosen }
        let hasPredixy = options.predixy != nil
        var names = [
            SystemName(.tarn, shards: 1), SystemName(.tarn, shards: 2), SystemName(.direct, shards: 1),
            SystemName(.haproxy, shards: 1), SystemName(.nutcracker, shards: 2),
        ]
        if hasPredixy { names.append(SystemName(.predixy, shards: 2)) }
        if Load.latency.contains(load) { names.insert(SystemName(.blocking, shards: 1), at: 1) }
        if Load.manyShards.contains(load) {
            names += [SystemName(.tarn, shards: 16), SystemName(.nutcracker, shards: 16)]
            if hasPredixy { names.append(SystemName(.predixy, shards: 16)) }
        }
        if options.isFull && Load.targets.contains(load) {
            names += [
                SystemName(.haproxy, shards: 1, usesUnixSockets: true),
                SystemName(.nutcracker, shards: 2, usesUnixSockets: true),
            ]
            if hasPredixy { names.append(SystemName(.predixy, shards: 2, usesUnixSockets: true)) }
        }
        return names
    }

    mutating func run() throws(BenchFailure) {
        let loads = options.loads ?? (options.isQuick ? Load.quick : options.isFull ? Load.full : Load.usual)
        try prepare(loads)
        for round in 1...options.rounds {
            for (place, load) in loads.enumerated() {
                Console.step("round \(round) of \(options.rounds), load \(place + 1) of \(loads.count): \(load.name)")
                for name in names(for: load) {
                    let system = try systems.system(name)
                    let measurement = Measurement(
                        load: load, system: system, threads: options.threads, window: options.window)
                    results.add(try measurement.run(), name, load)
                }
            }
        }
        try countCalls(loads)
    }

    /// Fills the shards, starts what is needed, and has every byte of some replies of each system compared.
    private func prepare(_ loads: [Load]) throws(BenchFailure) {
        for load in loads {
            let names = names(for: load)
            let shards = names.map(\.shards).max() ?? 1
            Console.step("\(load.name): filling \(shards) shard(s), checking replies of \(names.count) systems")
            try systems.shards.fill(shards, valueBytes: load.valueBytes)
            for name in names {
                var check = load
                check.rate = 0
                check.connections = min(10, load.connections)
                let measurement = Measurement(
                    load: check, system: try systems.system(name), warmUp: 0, window: 50_000_000, verifies: true)
                _ = try measurement.run()
            }
        }
    }

    /// A pass of its own: counting disturbs what it counts.
    private mutating func countCalls(_ loads: [Load]) throws(BenchFailure) {
        guard let counter = EventCounter.systemCalls(log: options.directory + "/perf.log") else {
            results.callsProblem = "not counted: perf may not see system calls here"
            return
        }
        for load in loads where load.rate == 0 && load.connections == 50 {
            for name in names(for: load) where name.kind != .direct {
                let system = try systems.system(name)
                guard let process = system.process else { continue }
                let measurement = Measurement(load: load, system: system, window: 300_000_000)
                var requests = 0
                let calls = try counter.count(process.pid) { () throws(BenchFailure) in
                    requests = try measurement.countRequests()
                }
                if let calls { results.addCalls(Double(calls) / Double(requests), name, load) }
            }
        }
    }
}
