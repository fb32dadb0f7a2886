import Glibc
import HostControl
import NodeLayout

/// Stops a node and takes away what the installer laid down, and nothing else. Running it again does no harm.
package struct Uninstaller {
    private let paths: NodePaths
    private let processes: NodeProcesses
    private let progress: (String) -> Void

    /// - Parameter prefix: Absolute.
    package init(prefix: String, progress: @escaping (String) -> Void) {
        paths = NodePaths(prefix: prefix)
        processes = NodeProcesses(paths: paths)
        self.progress = progress
    }

    /// Whether there is anything to remove.
    package var isInstalled: Bool {
        [paths.programs, paths.configuration, paths.data, paths.logs, paths.run].contains(where: HostFile.exists)
    }

    /// - Parameter keepsData: Leaves `var/lib/tarn`, `etc/tarn` and the logs, so that the same node can be
    ///   installed again.
    package func run(keepsData: Bool) throws {
        guard !paths.isSystem || geteuid() == 0 else {
            throw InstallerError(.notRoot, "Uninstalling from / needs root: use sudo.")
        }
        guard isInstalled else {
            progress("nothing is installed under \(paths.prefix)")
            return
        }
        let lock = HostFile.exists(paths.programs) ? try InstallationLock(paths.installationLock) : nil
        defer { withExtendedLifetime(lock) {} }
        let unit = ServiceUnit(paths: paths)
        if paths.isSystem { try unit.disable() }
        try processes.stop()
        progress("stopped")
        if paths.isSystem, HostFile.exists(paths.systemdUnit) { try HostFile.removeTree(paths.systemdUnit) }
        try HostFile.removeTree(paths.run)
        if !keepsData {
            for path in [paths.data, paths.logs, paths.configuration] { try HostFile.removeTree(path) }
        }
        // Last, because it holds the lock, and because `tarn` itself may be run from here.
        try HostFile.removeTree(paths.programs)
        // rmdir refuses what is not empty, so what others put there stays.
        for path in paths.shared { rmdir(path) }
        progress(keepsData ? "removed the programs; data, settings and logs are kept" : "removed")
    }
}
