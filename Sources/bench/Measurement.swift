import Glibc
import Reactor
import Synchronization

/// One run of one load against one system.
struct Measurement {
    var load: Load
    var system: System
    var threads = 1
    var warmUp = 200_000_000
    var window = 1_000_000_000
    /// Compares every byte of every reply, which costs the generator much.
    var verifies = false

    /// CPU and time at one edge of the window.
    private struct Reading {
        var at: Int
        var proxy: Int
        var proxyTicks: (user: Int, system: Int)
        var others: Int
        var machineBusy: Int
        var generator: Int
    }

    private final class Readings: Sendable {
        let all = Mutex<[Reading]>([])
    }

    func run() throws(BenchFailure) -> Sample { try generate().sample }

    /// The commands answered in all, warm-up included: for counters that look on from outside.
    func countRequests() throws(BenchFailure) -> Int { try generate().requests }

    private func generate() throws(BenchFailure) -> (sample: Sample, requests: Int) {
        let readings = Readings()
        let number = min(threads, load.connections)
        let generators = UnsafeMutablePointer<Generator>.allocate(capacity: number)
        for index in 0..<number {
            (generators + index).initialize(
                to: Generator(
                    share(index, of: number), verifies: verifies, seed: UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15))
        }
        defer {
            for index in 0..<number { generators[index].disconnect() }
            generators.deinitialize(count: number)
            generators.deallocate()
        }
        for index in 0..<number {
            try generators[index].connect(to: system.addresses, count: generators[index].load.connections)
        }
        let system = system
        let clock = PhaseClock(warmUp: warmUp, window: window) {
            readings.all.withLock { $0.append(Self.read(system)) }
        }
        let others = (1..<number).map { index in
            let pointer = Unsafe(generators + index)
            return LoopThread { pointer.value.pointee.run(clock, isLeader: false) }
        }
        generators[0].run(clock, isLeader: true)
        for thread in others { thread.join() }
        for index in 0..<number {
            if let failure = generators[index].counts.failure {
                throw BenchFailure("\(system.name) \(load.name): \(failure)\(system.process?.lastLines ?? "")")
            }
        }
        let edges = readings.all.withLock { $0 }
        return sample((0..<number).map { generators[$0].counts }, edges)
    }

    private func share(_ index: Int, of number: Int) -> Load {
        var part = load
        part.connections = load.connections / number + (index < load.connections % number ? 1 : 0)
        part.rate = load.rate / number
        return part
    }

    private static func read(_ system: System) -> Reading {
        let pid = system.process?.pid
        return Reading(
            at: Time.nanoseconds(), proxy: pid.map(ProcessFigures.cpuNanoseconds) ?? 0,
            proxyTicks: pid.map(ProcessFigures.ticks) ?? (0, 0),
            others: system.shards.reduce(0) { $0 + ProcessFigures.cpuNanoseconds($1.pid) },
            machineBusy: ProcessFigures.machineBusyNanoseconds(), generator: ProcessFigures.cpuNanoseconds(getpid()))
    }

    private func sample(_ counts: [Generator.Counts], _ edges: [Reading]) -> (sample: Sample, requests: Int) {
        var sample = Sample()
        var histogram = Histogram()
        for count in counts { histogram.add(count.histogram) }
        let requests = Double(counts.reduce(0) { $0 + $1.requests })
        let all = counts.reduce(0) { $0 + $1.allRequests }
        guard edges.count == 2, requests > 0 else { return (sample, all) }
        let first = edges[0]
        let last = edges[1]
        let elapsed = Double(last.at - first.at)
        sample.requestsPerSecond = requests / elapsed * 1e9
        sample.median = histogram.microseconds(at: 0.5)
        sample.p99 = histogram.microseconds(at: 0.99)
        sample.p999 = histogram.microseconds(at: 0.999)
        // Direct: what the server itself takes stands in the proxy's place.
        let proxy = Double(system.process == nil ? last.others - first.others : last.proxy - first.proxy)
        sample.proxy = proxy / requests / 1000
        let user = Double(last.proxyTicks.user - first.proxyTicks.user)
        let ticks = user + Double(last.proxyTicks.system - first.proxyTicks.system)
        sample.proxyUser = ticks > 0 ? sample.proxy * user / ticks : 0
        let generator = Double(counts.reduce(0) { $0 + $1.cpuNanoseconds })
        sample.generator = generator / requests / 1000
        sample.generatorShare = generator / elapsed / Double(counts.count)
        let own = (last.proxy - first.proxy) + (last.others - first.others) + (last.generator - first.generator)
        let busy = Double(last.machineBusy - first.machineBusy - own)
        let share = busy / elapsed / Double(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        sample.foreign = min(1, max(0, share))
        sample.residentBytes = system.process.map { Double(ProcessFigures.residentBytes($0.pid)) } ?? 0
        return (sample, all)
    }
}

/// A pointer that is handed to one thread.
struct Unsafe<Pointee>: @unchecked Sendable {
    let value: UnsafeMutablePointer<Pointee>
    init(_ value: UnsafeMutablePointer<Pointee>) { self.value = value }
}
