import Glibc

/// A network of its own inside this machine: interfaces, addresses and packet filter that nothing outside sees.
struct NetworkNamespace: Sendable {
    let name: String

    private var path: String { "/run/netns/" + name }
    var exists: Bool { Files.exists(path) }

    /// Nil where namespaces can be made; else why not.
    static let problem: String? = {
        guard geteuid() == 0 else { return "only root may make network namespaces" }
        let probe = NetworkNamespace(name: "tarn-probe-\(getpid())")
        do {
            try Command("ip", "netns", "add", probe.name).outputOrFail()
            defer { _ = try? Command("ip", "netns", "del", probe.name).run() }
            try probe.inside {}
            try probe.entering(Command("iptables", "-L", "-n")).outputOrFail()
            return nil
        } catch let failure as Failure {
            return "network namespaces can't be used here: \(failure.message)"
        } catch {
            return "network namespaces can't be used here: \(error)"
        }
    }()

    /// The same command, run in there.
    func entering(_ command: Command) -> Command {
        var command = command
        command.arguments = ["nsenter", "--net=" + path] + command.arguments
        return command
    }

    /// Runs `body` with this thread in there. Threads and processes that it starts are in there, too, and stay.
    func inside<Value>(_ body: () throws -> Value) throws -> Value {
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard home >= 0 else { throw Failure(.environment, "/proc/thread-self/ns/net can't be opened") }
        defer { close(home) }
        let target = open(path, O_RDONLY | O_CLOEXEC)
        guard target >= 0 else { throw Failure(.environment, "the network namespace \(name) is not there") }
        defer { close(target) }
        try Self.enter(target)
        defer {
            // Going on elsewhere than everybody believes would be worse than ending here.
            do { try Self.enter(home) } catch { fatalError("the way back from \(name) is gone: \(error)") }
        }
        return try body()
    }

    /// Everything that runs in there, ascending.
    var pids: [Int] {
        guard let status = Files.status(path) else { return [] }
        let mark = "net:[\(status.st_ino)]"
        return Files.list("/proc").compactMap { Int($0) }.filter {
            NodeProcesses.link("/proc/\($0)/ns/net") == mark
        }.sorted()
    }

    /// CLONE_NEWNET of sched.h, which Swift sees only with _GNU_SOURCE, as it does setns itself.
    private static let networkKind: Int32 = 0x4000_0000

    private static func enter(_ descriptor: Int32) throws {
        typealias SetNamespace = @convention(c) (Int32, Int32) -> Int32
        guard let symbol = dlsym(nil, "setns") else { throw Failure(.environment, "this libc has no setns") }
        let setNamespace = unsafeBitCast(symbol, to: SetNamespace.self)
        guard setNamespace(descriptor, networkKind) == 0 else {
            throw Failure(.environment, "setns: \(String(cString: strerror(errno)))")
        }
    }
}
