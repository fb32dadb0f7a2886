import Glibc

/// CPU of a proxy that has connections and nothing to do: right after traffic, and later.
struct RestPart {
    let systems: Systems

    func run() throws(BenchFailure) {
        try systems.shards.fill(2, valueBytes: 64)
        var table = Table(["CPU at rest, share of a core", "first second after traffic", "ten seconds later"])
        for shards in [1, 2] {
            let system = try systems.system(SystemName(.tarn, shards: shards))
            guard let process = system.process else { continue }
            Console.step("rest of \(system.name)")
            let held = try (0..<50).map { _ throws(BenchFailure) in try system.addresses[0].connect() }
            _ = try Measurement(load: Load(.get, 64), system: system).run()
            let first = share(process.pid, seconds: 1)
            let later = share(process.pid, seconds: 10)
            for connection in held { close(connection) }
            table.add([system.name, fixed(first * 100, 2) + " %", fixed(later * 100, 3) + " %"])
        }
        Console.out(table.text + "\n")
    }

    private func share(_ pid: Int32, seconds: Int) -> Double {
        let before = ProcessFigures.cpuNanoseconds(pid)
        sleep(UInt32(seconds))
        return Double(ProcessFigures.cpuNanoseconds(pid) - before) / Double(seconds) / 1e9
    }
}
