import Glibc

/// What /proc knows of processes.
enum ProcessFacts {
    /// Nil when there is no such process; a zombie still is one.
    static func identity(of pid: Int32) -> ProcessIdentity? {
        guard let fields = status(of: pid), fields.count > 19,
            let ticks = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        return ProcessIdentity(pid: pid, startTicks: ticks)
    }

    /// By a signal, not by a tracer.
    static func isStopped(_ pid: Int32) -> Bool { status(of: pid)?.first?.elementsEqual("T".utf8) ?? false }

    /// From the third field of `/proc/<pid>/stat` on, the state.
    private static func status(of pid: Int32) -> [ArraySlice<UInt8>]? {
        guard let bytes = try? HostFile.read("/proc/\(pid)/stat"),
            // The second field is the program's name in parentheses and may contain anything.
            let parenthesis = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        return bytes[(parenthesis + 1)...].split(separator: UInt8(ascii: " "))
    }

    /// Boot and pid namespace: a container that starts again keeps the boot, but its pids begin anew.
    static func machine() -> String {
        let boot = (try? HostFile.read("/proc/sys/kernel/random/boot_id")) ?? []
        let namespace = HostFile.target(ofLink: "/proc/self/ns/pid")
        return String(decoding: boot.filter { $0 > 0x20 }, as: UTF8.self) + " " + namespace
    }

    static func now() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Moment(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
