import Glibc
import Logging
import NodeLayout
import NodeService
import Primitives
import ServiceLifecycle
import UnixSignals

/// `tarn-manager --prefix P`: the control path of one node.
@main
struct Program {
    static func main() async {
        // A peer that goes away in the middle of a write is an error of that write, not the end of the manager.
        signal(SIGPIPE, SIG_IGN)
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "tarn-manager")
        logger.logLevel = .info
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            guard !options.wantsVersion else {
                print("tarn-manager \(ReleaseVersion.current)")
                return
            }
            let settings = try NodeSettings.load(prefix: options.prefix)
            let manager = try Manager(settings: settings, logger: logger)
            let group = ServiceGroup(
                services: [manager], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
            // The node stops: see `OwnProcesses`.
            let stop = Task {
                for await _ in await UnixSignalsSequence(trapping: .sigusr2) {
                    await manager.handOver()
                    await group.triggerGracefulShutdown()
                }
            }
            try await group.run()
            stop.cancel()
        } catch {
            logger.critical("tarn-manager can't go on", metadata: ["error": "\(error)"])
            exit(1)
        }
    }
}

/// The few flags that the watchdog passes.
private struct Options {
    var prefix = "/"
    var wantsVersion = false

    struct Misuse: Error, CustomStringConvertible {
        var description: String
    }

    init(_ arguments: some Collection<String>) throws {
        var rest = Array(arguments)[...]
        while let flag = rest.popFirst() {
            switch flag {
            case "--prefix":
                guard let value = rest.popFirst() else { throw Misuse(description: "--prefix needs a directory") }
                prefix = value
            case "--version": wantsVersion = true
            default:
                throw Misuse(description: "unknown argument \(flag); usage: tarn-manager [--prefix DIR] [--version]")
            }
        }
    }
}
