import Glibc
import Reactor

/// Calls of the C library's malloc and its kin while requests flow, counted by probes in the library.
struct AllocationsPart {
    let systems: Systems
    private static let group = "tarnbench"
    private static let functions = ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"]

    func run() throws(BenchFailure) {
        let log = systems.options.directory + "/perf.log"
        guard let library = library(), setProbes(library, log) else {
            Console.out("allocations: not counted, perf may not set probes here\n")
            return
        }
        defer { removeProbes(log) }
        var table = Table(["allocations", "requests", "calls of malloc", "per request"])
        let loads = [
            Load(.get, 64), Load(.set, 64), Load(.get, 64, pipeline: 16), Load(.get, 64, pipeline: 64),
            Load(.set, 64, pipeline: 64), Load(.get, Load.large), Load(.set, Load.large), Load(.mix, 64, pipeline: 16),
        ]
        for shards in [1, 2] {
            for load in loads {
                try systems.shards.fill(shards, valueBytes: load.valueBytes)
                let system = try systems.system(SystemName(.tarn, shards: shards))
                Console.step("allocations of \(system.name) under \(load.name)")
                guard let counted = try count(load, system, log) else { continue }
                table.add([
                    "\(system.name) \(load.name)", "\(counted.requests)", "\(counted.calls)",
                    fixed(Double(counted.calls) / Double(counted.requests), 4),
                ])
            }
        }
        Console.out(table.text + "\n")
    }

    /// The load runs for three seconds on a thread of its own, and perf looks on for one of them in the middle: opening
    /// connections and growing buffers to their size are no steady state.
    private func count(
        _ load: Load, _ system: System, _ log: String
    ) throws(BenchFailure) -> (requests: Int, calls: Int)? {
        guard let process = system.process else { return nil }
        let measurement = Measurement(load: load, system: system, warmUp: 1_000_000_000, window: 2_000_000_000)
        let outcome = Outcome()
        let thread = LoopThread { outcome.rate = (try? measurement.run())?.requestsPerSecond ?? 0 }
        usleep(1_200_000)
        let event = Self.group + ":*"
        let output = try Child.output(
            ["perf", "stat", "-x", ",", "-e", event, "-p", "\(process.pid)", "sleep", "1"], log: log)
        thread.join()
        guard let output else { return nil }
        let calls = output.split(separator: "\n").reduce(0) { sum, line in
            sum + (Int(line.split(separator: ",", omittingEmptySubsequences: false)[0]) ?? 0)
        }
        return (Int(outcome.rate), calls)
    }

    /// Written by one thread, read after it was joined.
    private final class Outcome: @unchecked Sendable {
        var rate = 0.0
    }

    // MARK: Probes

    /// Where the C library is that we, and so the proxy, are linked to.
    private func library() -> String? {
        let lines = (Files.read("/proc/self/maps") ?? "").split(separator: "\n")
        return lines.compactMap { $0.split(separator: " ").last.map(String.init) }.first { $0.hasSuffix("/libc.so.6") }
    }

    private func setProbes(_ library: String, _ log: String) -> Bool {
        removeProbes(log)
        for function in Self.functions {
            let probe = ["perf", "probe", "-q", "-x", library, "\(Self.group):\(function)=\(function)"]
            let output = try? Child.output(probe, log: log)
            if output == nil { return false }
        }
        return true
    }

    private func removeProbes(_ log: String) {
        _ = try? Child.output(["perf", "probe", "-q", "-d", "\(Self.group):*"], log: log)
    }
}
