import CLinux
import Glibc
package import Primitives

/// What a node tells of its machine to whoever looks at the cluster.
package struct HostInventory: Equatable, Sendable {
    package struct Address: Equatable, Sendable {
        package var address: String
        package var interface: String
        /// In one of the ranges that no router of the internet forwards, loopback included.
        package var isPrivate: Bool
    }

    package var hostname: String
    package var architecture: String
    /// `PRETTY_NAME` of /etc/os-release, such as `Debian GNU/Linux 12 (bookworm)`.
    package var operatingSystem: String
    package var cores: Int
    package var totalMemory: ByteCount
    /// What could be taken without swapping.
    package var freeMemory: ByteCount
    package var uptimeSeconds: Int64
    package var addresses: [Address]

    package static func ofThisMachine() -> HostInventory {
        let memory = memoryTable()
        let uptime = HostFile.text("/proc/uptime")?.split(separator: ".").first.flatMap { Int64($0) }
        return HostInventory(
            hostname: name(), architecture: HostFacts.machineArchitecture(), operatingSystem: operatingSystemName(),
            cores: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), totalMemory: memory["MemTotal"] ?? .zero,
            freeMemory: memory["MemAvailable"] ?? .zero, uptimeSeconds: uptime ?? 0,
            addresses: NetworkProbe.interfaces().map {
                Address(address: $0.address, interface: $0.interface, isPrivate: isPrivate($0.address))
            })
    }

    /// `/proc/meminfo`, whose figures are kilobytes.
    static func memoryTable() -> [String: ByteCount] {
        var table: [String: ByteCount] = [:]
        for line in (HostFile.text("/proc/meminfo") ?? "").split(separator: "\n") {
            let parts = line.split { $0 == ":" || $0 == " " }
            if parts.count >= 2, let kilobytes = Int64(parts[1]) { table[String(parts[0])] = .kilobytes(kilobytes) }
        }
        return table
    }

    private static func name() -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let result = buffer.withUnsafeMutableBytes { gethostname($0.baseAddress!, $0.count - 1) }
        return result == 0 ? String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self) : "unknown"
    }

    private static func operatingSystemName() -> String {
        let lines = (HostFile.text("/etc/os-release") ?? "").split(separator: "\n")
        for line in lines where line.hasPrefix("PRETTY_NAME=") {
            return line.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" }
        }
        return "Linux"
    }

    /// RFC 1918, RFC 6598, link-local and loopback.
    static func isPrivate(_ address: String) -> Bool {
        let parts = address.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4 else { return false }
        switch (parts[0], parts[1]) {
        case (10, _), (127, _), (192, 168), (169, 254): return true
        case (172, 16...31), (100, 64...127): return true
        default: return false
        }
    }
}
