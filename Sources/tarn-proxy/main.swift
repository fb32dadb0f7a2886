import Glibc
import Primitives
import ProxyService

let usage = """
    usage: tarn-proxy [--prefix DIR] [--threads N] [--busy-poll MICROSECONDS]
                      [--driver auto|io_uring|epoll] [--version]

      --prefix DIR   where the node's files are (default /)
      --threads N    event loops, 1-64 (default: processors online, at most 8)
      --busy-poll MICROSECONDS
                     longest time that a loop of few clients asks for events before it sleeps, 0-1000 (default 100)
      --driver D     auto: the receives and sends of a turn at once by io_uring, where the kernel allows it and
                     many shards are asked (default); io_uring: however few are; epoll: each on its own
    """

func stop(_ text: String, _ status: Int32) -> Never {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(status == 0 ? 1 : 2, $0.baseAddress, $0.count) }
    exit(status)
}

var prefix = "/"
var threads: Int?
var busyPoll = 100
var driver = ProxyDriver.automatic
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    switch argument {
    case "--prefix":
        guard let value = arguments.popFirst() else { stop("--prefix needs a directory", 64) }
        prefix = value
    case "--threads":
        guard let value = arguments.popFirst().flatMap({ Int($0) }), (1...64).contains(value) else {
            stop("--threads needs a number from 1 to 64", 64)
        }
        threads = value
    case "--busy-poll":
        guard let value = arguments.popFirst().flatMap({ Int($0) }), (0...1000).contains(value) else {
            stop("--busy-poll needs a number of microseconds from 0 to 1000", 64)
        }
        busyPoll = value
    case "--driver":
        guard let value = arguments.popFirst().flatMap({ ProxyDriver(rawValue: $0) }) else {
            stop("--driver needs auto, io_uring or epoll", 64)
        }
        driver = value
    case "--version": stop("tarn-proxy \(ReleaseVersion.current)", 0)
    case "--help", "-h": stop(usage, 0)
    default: stop("unknown option \(argument)\n\n\(usage)", 64)
    }
}
do {
    try TarnProxy(prefix: prefix, loopCount: threads, busyPollMicroseconds: busyPoll, driver: driver).run()
} catch {
    stop("tarn-proxy: \(error)", 1)
}
