import Glibc
import NodeLayout
import Primitives
import WatchdogService

let usage = """
    usage: tarn-watchdog [--prefix DIR] [--foreground | --daemon]

      --prefix DIR   the node's files are below this directory (default /)
      --foreground   stay in the foreground (the default): as PID 1, under systemd, under a terminal
      --daemon       go to the background and return as soon as run/tarn/watchdog.sock answers
      --version      print the version

    Signals: TERM and INT stop everything in order; HUP re-executes the current release, children intact.
    Exit status: 0 after an orderly stop, 1 on failure, 2 on wrong usage, 3 when one keeps this prefix already.
    """

func fail(_ status: Int32, _ message: String) -> Never {
    let line = "tarn-watchdog: \(message)\n"
    _ = write(2, line, line.utf8.count)
    exit(status)
}

var prefix = "/"
var isDaemon = false
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    switch argument {
    case "--prefix":
        guard let directory = arguments.popFirst() else { fail(2, "--prefix takes a directory\n\(usage)") }
        prefix = directory
    case "--foreground": isDaemon = false
    case "--daemon": isDaemon = true
    case "--version":
        print(ReleaseVersion.current)
        exit(0)
    case "--help", "-h":
        print(usage)
        exit(0)
    default: fail(2, "unknown argument \(argument)\n\(usage)")
    }
}
guard let resolved = realpath(prefix, nil) else { fail(1, "prefix \(prefix): \(String(cString: strerror(errno)))") }
let paths = NodePaths(prefix: String(cString: resolved))

if isDaemon {
    let outcome = Daemon.start(paths) { isReady throws(WatchdogError) in
        let watchdog = try Watchdog(paths: paths)
        isReady()
        watchdog.run()
    }
    if outcome.status != 0 { fail(outcome.status, outcome.message) }
} else {
    do { try Watchdog(paths: paths).run() } catch { fail(error.exitStatus, error.message) }
}
