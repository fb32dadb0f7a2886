import Glibc

/// `perf stat` on a process, for what /proc does not count.
struct EventCounter {
    let event: String
    let log: String

    /// Nil where perf is missing or not allowed.
    static func systemCalls(log: String) -> EventCounter? {
        let counter = EventCounter(event: "raw_syscalls:sys_enter", log: log)
        return counter.works ? counter : nil
    }

    private var works: Bool {
        let output = try? Child.output(["perf", "stat", "-x", ",", "-e", event, "true"], log: log)
        return (output ?? nil).flatMap(Self.count(in:)) != nil
    }

    /// - Returns: How often it happened while `body` ran; nil when perf told nothing.
    func count(_ pid: Int32, _ body: () throws(BenchFailure) -> Void) throws(BenchFailure) -> Int? {
        unlink(log)
        let perf = try Child(["perf", "stat", "-x", ",", "-e", event, "-p", "\(pid)"], log: log)
        usleep(150_000)  // Until it has attached: what it misses is the warm-up's first part, or nothing.
        try body()
        perf.stop(SIGINT)
        return Self.count(in: Files.read(log) ?? "")
    }

    /// The first field of the line with the event: `12345,,raw_syscalls:sys_enter,…`.
    private static func count(in output: String) -> Int? {
        for line in output.split(separator: "\n") {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            if fields.count > 3, let number = Int(fields[0]) { return number }
        }
        return nil
    }
}
