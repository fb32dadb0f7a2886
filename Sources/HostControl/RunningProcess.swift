import Glibc

/// A process of this machine whose program lies under some directory.
package struct RunningProcess: Hashable, Sendable {
    package var pid: Int32
    /// The last component of its program's path.
    package var name: String

    /// Processes whose program, or the script they run, lies under `directory`; this process is left out.
    ///
    /// Containers have an `/opt/tarn` of their own: a process with another root directory is none of ours.
    /// - Parameter directory: Absolute and without symbolic links, because `/proc` names the real file.
    package static func all(under directory: String) -> [RunningProcess] {
        let prefix = directory.hasSuffix("/") ? directory : directory + "/"
        var ownRoot = stat()
        guard stat("/", &ownRoot) == 0 else { return [] }
        return HostFile.names(in: "/proc").compactMap { name in
            guard let pid = Int32(name), pid != getpid(), isRoot(of: pid, ownRoot) else { return nil }
            guard let program = program(of: pid, under: prefix) else { return nil }
            return RunningProcess(pid: pid, name: String(program[program.lastIndex(of: "/")!...].dropFirst()))
        }
    }

    /// Whether the process is still there and is no zombie.
    package static func isAlive(_ pid: Int32) -> Bool {
        guard let line = HostFile.text("/proc/\(pid)/stat"), let end = line.lastIndex(of: ")") else { return false }
        let state = line[line.index(after: end)...].drop { $0 == " " }.first
        return state != "Z" && state != "X"
    }

    private static func isRoot(of pid: Int32, _ own: stat) -> Bool {
        var root = stat()
        return stat("/proc/\(pid)/root", &root) == 0 && root.st_dev == own.st_dev && root.st_ino == own.st_ino
    }

    private static func program(of pid: Int32, under prefix: String) -> String? {
        if let target = HostFile.linkTarget("/proc/\(pid)/exe") {
            let deleted = " (deleted)"
            let path = target.hasSuffix(deleted) ? String(target.dropLast(deleted.count)) : target
            if path.hasPrefix(prefix) { return path }
        }
        // A script runs as its interpreter; its own path is then the second argument.
        let words = (try? HostFile.read("/proc/\(pid)/cmdline"))?.split(separator: 0).prefix(2) ?? []
        return words.map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix(prefix) }
    }
}
