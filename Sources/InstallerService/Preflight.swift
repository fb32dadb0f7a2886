package import HostControl
package import Primitives

/// Judges a machine. Pure: the facts arrive, the findings leave, nothing is read or changed.
package struct Preflight: Sendable {
    package var facts: HostFacts
    /// What the package asks for; without one, what this `tarn` was built for.
    package var architecture: String
    package var glibc: LibraryVersion
    /// The package cannot be older than the present: an earlier clock is wrong.
    package var builtAt: WallTime
    package var address: String?
    package var ports: [UInt16: NetworkProbe.PortState]
    /// A node of this very prefix runs already, so that its ports are taken is as it should be.
    package var isRunning: Bool

    package init(
        facts: HostFacts, architecture: String, glibc: LibraryVersion, builtAt: WallTime, address: String?,
        ports: [UInt16: NetworkProbe.PortState], isRunning: Bool
    ) {
        self.facts = facts
        self.architecture = architecture
        self.glibc = glibc
        self.builtAt = builtAt
        self.address = address
        self.ports = ports
        self.isRunning = isRunning
    }

    /// REST, and etcd's client and peer port.
    package static let fixedPorts: [UInt16] = [9443, 9379, 9380]
    /// Endpoints of databases, and shards.
    private static let listenerRanges = [10_000...19_999, 20_000...29_999]

    package func checks() -> [PreflightCheck] {
        [
            checkArchitecture(), checkLibrary(), checkMemory(), checkSwap(), checkDisk(), checkClock(),
            checkOvercommit(), checkHugePages(), checkBacklog(), checkOpenFiles(), checkLocalPorts(), checkAddress(),
        ] + Self.fixedPorts.compactMap(checkPort)
    }

    private func checkArchitecture() -> PreflightCheck {
        guard facts.architecture == architecture else {
            return PreflightCheck(
                "architecture", .fail, "\(facts.architecture), the package is for \(architecture)",
                fix: "Take the package and the tarn program for \(facts.architecture).")
        }
        return PreflightCheck("architecture", .pass, "\(facts.architecture), \(facts.processorCount) processors")
    }

    private func checkLibrary() -> PreflightCheck {
        guard facts.glibc >= glibc else {
            return PreflightCheck(
                "glibc", .fail, "glibc \(facts.glibc), \(glibc) is needed",
                fix: "Use Debian 12, Ubuntu 24.04, RHEL 10 or newer, or the container image.")
        }
        return PreflightCheck("glibc", .pass, "glibc \(facts.glibc)")
    }

    private func checkMemory() -> PreflightCheck {
        // An idle node takes some 200 MB (etcd, manager, proxy, watchdog); less than the rest serves nobody.
        if facts.memory < .megabytes(900) {
            return PreflightCheck(
                "memory", .fail, "\(facts.memory)",
                fix: "Give the machine 1 GB at the very least; databases need more.")
        }
        if facts.memory < .megabytes(3_800) {
            return PreflightCheck(
                "memory", .warn, "\(facts.memory)", fix: "Give the machine 4 GB or more for anything but a trial.")
        }
        return PreflightCheck("memory", .pass, "\(facts.memory)")
    }

    private func checkSwap() -> PreflightCheck {
        guard facts.swap > .zero else { return PreflightCheck("swap", .pass, "none") }
        return PreflightCheck(
            "swap", .warn, "\(facts.swap)",
            fix: "Run `swapoff -a` and take swap out of /etc/fstab: a shard that is swapped out stalls its clients.")
    }

    private func checkDisk() -> PreflightCheck {
        if facts.freeDisk < .gigabytes(1) {
            return PreflightCheck("disk", .fail, "\(facts.freeDisk) free", fix: "Free 1 GB at the very least.")
        }
        if facts.freeDisk < .gigabytes(10) {
            return PreflightCheck(
                "disk", .warn, "\(facts.freeDisk) free",
                fix: "Free 10 GB, and twice the memory of the databases where they persist.")
        }
        return PreflightCheck("disk", .pass, "\(facts.freeDisk) free")
    }

    private func checkClock() -> PreflightCheck {
        // A day of grace: a package may be built elsewhere, and time zones are a classic mistake.
        guard facts.clock.adding(seconds: 86_400) >= builtAt else {
            return PreflightCheck(
                "clock", .fail, "\(facts.clock), before this release was built (\(builtAt))",
                fix: "Set the clock and install a time service (`apt install chrony`): certificates depend on it.")
        }
        if facts.isClockSynchronised == false {
            return PreflightCheck(
                "clock", .warn, "\(facts.clock), not synchronised",
                fix: "Install a time service (`apt install chrony`).")
        }
        return PreflightCheck("clock", .pass, "\(facts.clock)")
    }

    private func checkOvercommit() -> PreflightCheck {
        guard let value = facts.overcommitMemory, value != 1 else {
            return PreflightCheck("overcommit_memory", .pass, "vm.overcommit_memory = 1")
        }
        return PreflightCheck(
            "overcommit_memory", .warn, "vm.overcommit_memory = \(value)",
            fix: "Run `sysctl -w vm.overcommit_memory=1` and put it into /etc/sysctl.d/: without it a shard that is"
                + " more than half of the memory cannot fork to save or to feed a replica.")
    }

    private func checkHugePages() -> PreflightCheck {
        guard facts.transparentHugePages == "always" else {
            return PreflightCheck("transparent_hugepage", .pass, facts.transparentHugePages ?? "not available")
        }
        return PreflightCheck(
            "transparent_hugepage", .warn, "always",
            fix: "Run `echo madvise > /sys/kernel/mm/transparent_hugepage/enabled` at every boot: copying huge pages"
                + " after a fork stalls a shard and doubles its memory.")
    }

    private func checkBacklog() -> PreflightCheck {
        guard let limit = facts.listenBacklogLimit, limit < 1024 else {
            return PreflightCheck("somaxconn", .pass, facts.listenBacklogLimit.map(String.init) ?? "not available")
        }
        return PreflightCheck(
            "somaxconn", .warn, "net.core.somaxconn = \(limit)",
            fix: "Run `sysctl -w net.core.somaxconn=4096`: of many clients that connect at once some are turned away.")
    }

    private func checkOpenFiles() -> PreflightCheck {
        let limit = facts.openFileHardLimit
        let shown = limit > 1 << 40 ? "unlimited" : "\(limit)"
        if limit < 4096 {
            return PreflightCheck(
                "open_files", .fail, "hard limit \(shown)", fix: "Raise it: `ulimit -Hn 100000` or limits.conf.")
        }
        if limit < 65_536 {
            return PreflightCheck(
                "open_files", .warn, "hard limit \(shown)",
                fix: "Raise it to 100000 (`ulimit -Hn`, LimitNOFILE): every client takes one.")
        }
        return PreflightCheck("open_files", .pass, "hard limit \(shown)")
    }

    private func checkLocalPorts() -> PreflightCheck {
        guard let range = facts.localPorts else { return PreflightCheck("local_ports", .pass, "not available") }
        let found = "net.ipv4.ip_local_port_range = \(range.lowerBound)-\(range.upperBound)"
        let wanted = Self.listenerRanges + Self.fixedPorts.map { Int($0)...Int($0) }
        let isClear = wanted.allSatisfy { ours in
            let overlap = range.overlaps(ours) ? ours.clamped(to: range) : nil
            return overlap.map { inside in
                facts.reservedPorts.contains { $0.contains(inside.lowerBound) && $0.contains(inside.upperBound) }
            } ?? true
        }
        guard !isClear else { return PreflightCheck("local_ports", .pass, found) }
        return PreflightCheck(
            "local_ports", .warn, found,
            fix: "Run `sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\"`, or reserve ours with"
                + " `sysctl -w net.ipv4.ip_local_reserved_ports=9379-9380,9443,10000-29999`: an outgoing connection"
                + " may take the port of a database.")
    }

    private func checkAddress() -> PreflightCheck {
        guard let address else {
            return PreflightCheck("address", .pass, "to be given when the node starts")
        }
        switch ports.values.contains(.addressMissing) {
        case true:
            return PreflightCheck(
                "address", .fail, "\(address) is not on this machine",
                fix: "Give --address one of those that `ip -4 addr` shows.")
        case false: return PreflightCheck("address", .pass, address)
        }
    }

    private func checkPort(_ port: UInt16) -> PreflightCheck? {
        let name = "port_\(port)"
        switch ports[port] {
        case nil, .addressMissing: return nil
        case .free: return PreflightCheck(name, .pass, "free")
        case .inUse where isRunning: return PreflightCheck(name, .pass, "in use by this node")
        case .inUse:
            return PreflightCheck(
                name, .fail, "in use", fix: "Find who has it (`ss -ltnp sport = :\(port)`) and stop that program.")
        case .refused(let reason):
            return PreflightCheck(name, .fail, reason, fix: "See whether a security module forbids the port.")
        }
    }
}
