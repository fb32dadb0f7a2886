/// Where the files of one node are, below its prefix.
package struct NodeLayout: Hashable, Sendable {
    /// Absolute; `/` on a server.
    package let prefix: String
    private let root: String

    package init(prefix: String) {
        self.prefix = prefix
        root = prefix == "/" ? "" : prefix
    }

    package var configurationFile: String { "\(root)/etc/tarn/node.conf" }
    package var currentRelease: String { "\(root)/opt/tarn/current" }
    package var runDirectory: String { "\(root)/run/tarn" }
    package var logDirectory: String { "\(root)/var/log/tarn" }
    package var socket: String { "\(runDirectory)/watchdog.sock" }
    package var lockFile: String { "\(runDirectory)/watchdog.lock" }
    package var stateFile: String { "\(runDirectory)/watchdog.state" }
    package var ownLog: String { log(of: "watchdog") }

    package func program(_ name: String) -> String { "\(currentRelease)/bin/\(name)" }
    package func log(of process: String) -> String { "\(logDirectory)/\(process).log" }
}
