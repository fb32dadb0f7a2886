import Glibc

/// What /proc knows of processes.
enum ProcessFacts {
    /// Nil when there is no such process; a zombie still is one.
    static func identity(of pid: Int32) -> ProcessIdentity? {
        guard let bytes = try? HostFile.read("/proc/\(pid)/stat"),
            // The second field is the program's name in parentheses and may contain anything.
            let parenthesis = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(parenthesis + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let ticks = UInt64(String(decoding: fields[19], as: UTF8.self)) else { return nil }
        return ProcessIdentity(pid: pid, startTicks: ticks)
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
