import CLinux
import Glibc
package import NodeLayout

/// Runs a watchdog in the background, for nodes under a prefix that no service manager looks after.
package enum Daemon {
    /// Forks; the parent returns when the child has taken the prefix over, so its socket answers from then on.
    ///
    /// - Returns: In the parent 0, or the status and message with which the child has refused. The child never
    ///   returns.
    package static func start(
        _ paths: NodePaths, _ body: (_ isReady: () -> Void) throws(WatchdogError) -> Void
    ) -> (status: Int32, message: String) {
        var pipes: [Int32] = [-1, -1]
        guard pipe(&pipes) == 0 else { return (1, WatchdogError.system("pipe").message) }
        switch clinux_fork() {
        case -1: return (1, WatchdogError.system("fork").message)
        case 0:
            close(pipes[0])
            runChild(paths, report: pipes[1], body)
        default:
            close(pipes[1])
            return outcome(pipes[0])
        }
    }

    private static func outcome(_ report: Int32) -> (status: Int32, message: String) {
        defer { close(report) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1024)
        while case let count = read(report, &chunk, chunk.count), count != 0 {
            if count > 0 { bytes += chunk[..<count] } else if errno != EINTR { break }
        }
        guard let status = bytes.first else { return (1, "the watchdog died while it started; see its log") }
        return (Int32(status), String(decoding: bytes.dropFirst(), as: UTF8.self))
    }

    private static func runChild(
        _ paths: NodePaths, report: Int32, _ body: (_ isReady: () -> Void) throws(WatchdogError) -> Void
    ) -> Never {
        setsid()
        chdir("/")
        dup2(report, 3)
        // Whoever started us may have left anything open: sockets of a manager, a terminal.
        clinux_close_from(4)
        _ = fcntl(3, F_SETFD, FD_CLOEXEC)
        do {
            try redirect(paths)
            try body {
                tell(0, "")
            }
        } catch {
            tell(UInt8(error.exitStatus), error.message)
            exit(error.exitStatus)
        }
        exit(0)
    }

    private static func redirect(_ paths: NodePaths) throws(WatchdogError) {
        try HostFile.makeDirectory(paths.logs)
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        let path = paths.log(of: "watchdog")
        let log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0o640)
        guard null >= 0, log >= 0 else { throw .system("open \(path)") }
        dup2(null, 0)
        dup2(log, 1)
        dup2(log, 2)
        close(null)
        close(log)
    }

    private static func tell(_ status: UInt8, _ message: String) {
        try? HostFile.write([status] + Array(message.utf8), to: 3, named: "report")
        close(3)
    }
}

extension WatchdogError {
    /// 3: another watchdog keeps the prefix, which an installer that is run again takes for success. Else 1.
    package var exitStatus: Int32 { code == .alreadyRunning ? 3 : 1 }
}
