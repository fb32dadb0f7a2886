import CLinux
import Glibc
package import Primitives

/// What a machine is and how it is set up, read once; deciding whether that is good is for others.
package struct HostFacts: Equatable, Sendable {
    /// As `uname -m` says: `x86_64`, `aarch64`.
    package var architecture: String
    package var kernel: String
    package var glibc: LibraryVersion
    package var processorCount: Int
    package var memory: ByteCount
    package var swap: ByteCount
    /// Free for us on the file system that will hold the installation.
    package var freeDisk: ByteCount
    /// `vm.overcommit_memory`: 0 heuristic, 1 always, 2 strict. Nil where it cannot be read, as below.
    package var overcommitMemory: Int?
    /// The chosen word of `/sys/kernel/mm/transparent_hugepage/enabled`: `always`, `madvise`, `never`.
    package var transparentHugePages: String?
    package var listenBacklogLimit: Int?
    package var openFileHardLimit: UInt64
    package var localPorts: ClosedRange<Int>?
    /// `net.ipv4.ip_local_reserved_ports`: never given to outgoing connections.
    package var reservedPorts: [ClosedRange<Int>]
    package var clock: WallTime
    /// Whether the kernel's clock is steered by a time service; nil where the machine does not tell.
    package var isClockSynchronised: Bool?
    package var isRoot: Bool
    package var isUnderSystemd: Bool

    package init(
        architecture: String, kernel: String, glibc: LibraryVersion, processorCount: Int, memory: ByteCount,
        swap: ByteCount, freeDisk: ByteCount, overcommitMemory: Int?, transparentHugePages: String?,
        listenBacklogLimit: Int?, openFileHardLimit: UInt64, localPorts: ClosedRange<Int>?,
        reservedPorts: [ClosedRange<Int>], clock: WallTime, isClockSynchronised: Bool?, isRoot: Bool,
        isUnderSystemd: Bool
    ) {
        self.architecture = architecture
        self.kernel = kernel
        self.glibc = glibc
        self.processorCount = processorCount
        self.memory = memory
        self.swap = swap
        self.freeDisk = freeDisk
        self.overcommitMemory = overcommitMemory
        self.transparentHugePages = transparentHugePages
        self.listenBacklogLimit = listenBacklogLimit
        self.openFileHardLimit = openFileHardLimit
        self.localPorts = localPorts
        self.reservedPorts = reservedPorts
        self.clock = clock
        self.isClockSynchronised = isClockSynchronised
        self.isRoot = isRoot
        self.isUnderSystemd = isUnderSystemd
    }
}

extension HostFacts {
    /// - Parameter prefix: Need not exist yet: the nearest directory above it tells the free disk space.
    package static func ofThisMachine(prefix: String) -> HostFacts {
        let memory = HostInventory.memoryTable()
        let ports = integers("/proc/sys/net/ipv4/ip_local_port_range")
        return HostFacts(
            architecture: machineArchitecture(), kernel: HostFile.text("/proc/sys/kernel/osrelease") ?? "unknown",
            glibc: LibraryVersion(String(cString: clinux_libc_version())) ?? LibraryVersion("0")!,
            processorCount: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))),
            memory: memory["MemTotal"] ?? .zero, swap: memory["SwapTotal"] ?? .zero, freeDisk: freeDisk(prefix),
            overcommitMemory: integers("/proc/sys/vm/overcommit_memory").first,
            transparentHugePages: chosenHugePages(),
            listenBacklogLimit: integers("/proc/sys/net/core/somaxconn").first,
            openFileHardLimit: openFileHardLimit(),
            localPorts: ports.count == 2 && ports[0] <= ports[1] ? ports[0]...ports[1] : nil,
            reservedPorts: portRanges(HostFile.text("/proc/sys/net/ipv4/ip_local_reserved_ports") ?? ""),
            clock: now(), isClockSynchronised: clockState(), isRoot: geteuid() == 0,
            isUnderSystemd: HostFile.exists("/run/systemd/system"))
    }

    /// The architecture as `uname -m` says.
    package static func machineArchitecture() -> String {
        var names = utsname()
        uname(&names)
        return withUnsafePointer(to: &names.machine) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 65) { String(cString: $0) }
        }
    }

    package static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Reads `8080,9000-9100`.
    package static func portRanges(_ text: String) -> [ClosedRange<Int>] {
        text.split(separator: ",").compactMap { part in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return nil }
            return first...last
        }
    }

    private static func integers(_ path: String) -> [Int] {
        (HostFile.text(path) ?? "").split { $0 == " " || $0 == "\t" }.compactMap { Int($0) }
    }

    private static func freeDisk(_ prefix: String) -> ByteCount {
        var path = prefix
        while !HostFile.exists(path) && path != "/" && path != "." { path = HostFile.parent(of: path) }
        var information = statvfs()
        guard statvfs(path, &information) == 0 else { return .zero }
        return ByteCount(bytes: Int64(information.f_bavail) * Int64(information.f_frsize))
    }

    private static func chosenHugePages() -> String? {
        guard let text = HostFile.text("/sys/kernel/mm/transparent_hugepage/enabled"),
            let start = text.firstIndex(of: "["), let end = text.firstIndex(of: "]"), start < end
        else { return nil }
        return String(text[text.index(after: start)..<end])
    }

    private static func openFileHardLimit() -> UInt64 {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? UInt64(limit.rlim_max) : 0
    }

    private static func clockState() -> Bool? {
        let state = clinux_clock_is_synchronised()
        return state < 0 ? nil : state == 1
    }
}
