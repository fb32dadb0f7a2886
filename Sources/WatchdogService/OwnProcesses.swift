import Glibc
package import NodeLayout
package import WatchdogProtocol

/// The two processes that the watchdog starts by itself, and what every process finds in its environment. All else
/// is ordered by the manager.
package enum OwnProcesses {
    package static func specifications(_ paths: NodePaths) -> [ProcessSpecification] {
        [
            // First, since it hands over the node's primaries when it is stopped with the node, and proxies have to be
            // there for that. SIGTERM ends a manager alone.
            own("manager", phase: 10, stopSignal: SIGUSR2, openFileLimit: 65536, score: -500, paths),
            // High limit: a proxy holds every client connection of the node.
            own("proxy", phase: 20, stopSignal: SIGTERM, openFileLimit: 1 << 20, score: -500, paths),
        ]
    }

    private static func own(
        _ name: String, phase: UInt8, stopSignal: Int32, openFileLimit: UInt64, score: Int32, _ paths: NodePaths
    ) -> ProcessSpecification {
        ProcessSpecification(
            name: name, executable: paths.program("tarn-\(name)"), arguments: ["--prefix", paths.prefix],
            restart: .always, openFileLimit: openFileLimit, outOfMemoryScore: score, stopSignal: stopSignal,
            stopPhase: phase)
    }

    /// The whole environment of a process, as `NAME=value`; its own variables win.
    package static func environment(
        of specification: ProcessSpecification, _ settings: NodeSettings, _ paths: NodePaths
    ) -> [String] {
        let libraries =
            settings.openSSL == .package ? "\(paths.libraries):\(paths.openSSLLibraries)" : paths.libraries
        let variables = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/",
            "LANG": "C.UTF-8",
            "LD_LIBRARY_PATH": libraries,
            "TARN_SUPERVISOR": settings.supervisor.rawValue,
        ].merging(specification.environment) { _, own in own }
        return variables.map { "\($0.key)=\($0.value)" }.sorted()
    }
}
