import Glibc

/// A running command. Its outputs are gathered by `wait`.
final class ChildProcess {
    let pid: pid_t
    private let command: Command
    private let started = ContinuousClock.now
    private let outputs: [OutputPipe]
    private var status: Int32?
    private var ended = ContinuousClock.now

    init(_ command: Command) throws {
        self.command = command
        let inputPath: String
        switch command.input {
        case .nothing: inputPath = "/dev/null"
        case .file(let path): inputPath = path
        }
        let outputs = [try OutputPipe(), try OutputPipe()]
        self.outputs = outputs
        var spawn = Spawn(arguments: command.arguments, environment: command.environment)
        spawn.descriptors = [
            .open(inputPath, O_RDONLY), .duplicate(outputs[0].writeEnd), .duplicate(outputs[1].writeEnd),
        ]
        defer { for output in outputs { output.closeWriteEnd() } }
        pid = try spawn.start()
    }

    var result: Command.Result {
        Command.Result(
            output: String(decoding: outputs[0].bytes, as: UTF8.self),
            errors: String(decoding: outputs[1].bytes, as: UTF8.self),
            status: status ?? -1, duration: ended - started)
    }

    /// Waits for all of them; on Ctrl-C ends all of them first.
    static func wait(for children: [ChildProcess]) throws {
        while children.contains(where: { $0.status == nil }) {
            if Interruption.isRequested {
                for child in children { child.end(with: SIGINT) }
                try Interruption.check()
            }
            for child in children where child.isOverdue { child.end(with: SIGTERM) }
            pollOnce(children)
        }
        for child in children {
            for output in child.outputs { output.finish(child.command.onLine) }
        }
    }

    private var isOverdue: Bool {
        guard status == nil, let limit = command.limit else { return false }
        return ContinuousClock.now - started > limit
    }

    private static func pollOnce(_ children: [ChildProcess]) {
        let open = children.flatMap { child in child.outputs.filter { !$0.isClosed }.map { (child, $0) } }
        var entries = open.map { pollfd(fd: $0.1.readEnd, events: Int16(POLLIN), revents: 0) }
        // A daemon that a command left behind may hold the pipe open for ever, so the end of the process is looked
        // for as well, ten times a second; and at once where both outputs have been closed, the usual end.
        let isEnding = children.contains { $0.status == nil && $0.outputs.allSatisfy(\.isClosed) }
        let ready = poll(&entries, nfds_t(entries.count), isEnding ? 1 : 100)
        if ready > 0 {
            for (entry, (child, output)) in zip(entries, open) where entry.revents != 0 {
                output.read(child.command.onLine)
            }
        }
        for child in children where child.status == nil { child.reap() }
    }

    /// Notes its end when it has come, or waits for that.
    private func reap(blocking: Bool = false) {
        var raw: Int32 = 0
        guard waitpid(pid, &raw, blocking ? 0 : WNOHANG) == pid else { return }
        status = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F)
        ended = ContinuousClock.now
        for output in outputs { output.drain(command.onLine) }
    }

    /// Asks it to end, and kills it when it has not within ten seconds.
    private func end(with signal: Int32) {
        guard status == nil else { return }
        kill(pid, signal)
        let limit = ContinuousClock.now + .seconds(10)
        while status == nil, ContinuousClock.now < limit {
            usleep(20_000)
            for output in outputs { output.drain(command.onLine) }
            reap()
        }
        guard status == nil else { return }
        kill(pid, SIGKILL)
        reap(blocking: true)
    }
}
