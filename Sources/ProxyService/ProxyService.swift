import CLinux
import Glibc
import NodeLayout
import LocalSocket
import ProxyCore
import Reactor

/// The proxy of one node: event loops, and the control thread that feeds them routes.
package struct TarnProxy {
    /// The proxy could not start.
    package struct StartError: Error, CustomStringConvertible {
        package let description: String
    }

    private let paths: NodePaths
    private let loopCount: Int
    private let busyPoll: BusyPoll
    private let driver: ProxyDriver

    /// - Parameters:
    ///   - prefix: The node's prefix, `/` on a server.
    ///   - loopCount: Event loops, 1...64. Nil: one for each processor that is online, at most 8.
    ///   - busyPollMicroseconds: See ``BusyPoll``; 0 switches it off.
    ///   - driver: How calls are made.
    package init(prefix: String, loopCount: Int?, busyPollMicroseconds: Int = 100, driver: ProxyDriver = .automatic) {
        self.driver = driver
        busyPoll = BusyPoll(limit: busyPollMicroseconds * 1000)
        paths = NodePaths(prefix: prefix)
        self.loopCount = loopCount ?? min(8, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// Serves until SIGTERM or SIGINT, then lets sessions finish (5 s at most) and returns.
    ///
    /// Blocks the calling thread, which becomes the control thread.
    /// - Throws: ``StartError`` when the control socket can't be made.
    package func run() throws(StartError) {
        signal(SIGPIPE, SIG_IGN)
        raiseDescriptorLimit()
        let signals = clinux_signal_descriptor()  // Before any thread is made: they inherit the mask.
        makeDirectories(paths.run)
        let listener: Int32
        do {
            listener = try LocalSocket.listen(path: paths.proxySocket)
        } catch {
            throw StartError(description: "\(error); is another proxy running with this prefix?")
        }
        let replies = Mailbox<LoopReply>()
        let mailboxes = (0..<loopCount).map { _ in Mailbox<LoopMessage>() }
        let paths = paths
        let (busyPoll, driver) = (busyPoll, driver)
        let lease = ServingLease()
        let places = BusyPollPlaces(processors: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let threads = mailboxes.indices.map { index in
            LoopThread {
                let worker = UnsafeMutablePointer<Worker>.allocate(capacity: 1)
                worker.initialize(
                    to: Worker(
                        index: index, loops: mailboxes, control: replies, paths: paths, busyPoll: busyPoll,
                        busyPollPlaces: places, lease: lease, driver: driver))
                worker.pointee.run()
            }
        }
        ControlServer(listener: listener, signals: signals, loops: mailboxes, replies: replies, lease: lease).run()
        unlink(paths.proxySocket)
        for mailbox in mailboxes { mailbox.post(.stop) }
        for thread in threads { thread.join() }
    }

    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private func makeDirectories(_ path: String) {
        var built = ""
        for component in path.split(separator: "/") {
            built += "/" + component
            mkdir(built, 0o755)
        }
    }
}
