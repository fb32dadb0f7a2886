import Glibc
import LocalSocket
import Primitives
import Testing
import WatchdogProtocol

/// Waits with a bound until `condition` holds for what `value` returns. Blocks its thread: watchdogs are spoken to
/// with plain system calls here.
///
/// - Throws: After the bound, naming the last value.
@discardableResult
func settled<Value>(
    _ what: String, within seconds: Double = 10, _ value: () throws -> Value, is condition: (Value) -> Bool
) throws -> Value {
    let deadline = ContinuousClock.now + .milliseconds(Int(seconds * 1000))
    while true {
        let last = try value()
        if condition(last) { return last }
        guard ContinuousClock.now < deadline else { throw Expired(what: what, last: "\(last)") }
        usleep(5000)
    }
}

struct Expired: Error, CustomStringConvertible {
    var what: String
    var last: String
    var description: String { "\(what) did not come true; last seen: \(last)" }
}

/// A node's prefix in which `tarn-proxy` and `tarn-manager` are shell scripts, and the real `tarn-watchdog` on it.
final class WatchdogFixture {
    static let program = String(programDirectory + "/tarn-watchdog")
    let prefix: String
    private(set) var pid: pid_t = 0

    /// - Parameter own: Script of the two own processes.
    init(own script: String = "exec sleep 1000", supervisor: String = "self") throws {
        prefix = try temporaryDirectory()
        for directory in ["etc", "etc/tarn", "opt", "opt/tarn", "opt/tarn/current", "opt/tarn/current/bin"] {
            mkdir("\(prefix)/\(directory)", 0o755)
        }
        write("supervisor = \(supervisor)\n", to: "etc/tarn/node.conf")
        for program in ["tarn-proxy", "tarn-manager"] {
            write("#!/bin/sh\n\(script)\n", to: "opt/tarn/current/bin/\(program)")
        }
        symlink(Self.program, "\(prefix)/opt/tarn/current/bin/tarn-watchdog")
    }

    deinit {
        if pid > 0 {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        // Whatever a test has left: watchdogs have the prefix among their arguments, their processes in their
        // environment. Watchdogs first, or they would restart the others.
        for file in ["cmdline", "environ"] {
            for process in processes(mentioning: prefix, in: file) { kill(process, SIGKILL) }
        }
        _ = try? runProgram("/bin/rm", ["-rf", prefix])
    }

    var socket: String { "\(prefix)/run/tarn/watchdog.sock" }

    func write(_ text: String, to path: String) {
        let descriptor = open("\(prefix)/\(path)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
        _ = Glibc.write(descriptor, text, text.utf8.count)
        close(descriptor)
    }

    func read(_ path: String) -> String { contentOfFile("\(prefix)/\(path)") ?? "" }

    /// Starts the watchdog in the foreground and waits for its socket.
    func start(through wrapper: [String] = []) throws -> WatchdogPeer {
        let words = wrapper + [Self.program, "--prefix", prefix, "--foreground"]
        pid = try spawnProgram(words, output: "\(prefix)/watchdog.out")
        // A child that a killed predecessor has just forked may hold the old socket open for a moment: that one
        // connects and never answers.
        let client = try settled(
            "a socket that answers",
            { () -> WatchdogPeer? in
                guard let client = try? WatchdogPeer(self.socket) else { return nil }
                return (try? client.list(within: 1)) == nil ? nil : client
            }
        ) { $0 != nil }
        return try #require(client)
    }

    func killWatchdog() {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        pid = 0
    }

    /// Waits for the watchdog to end by itself.
    func waitForEnd(within seconds: Double = 15) throws -> Int32 {
        var status: Int32 = 0
        try settled("the end of the watchdog", within: seconds, { waitpid(self.pid, &status, WNOHANG) }) { $0 != 0 }
        pid = 0
        return status
    }
}

/// A connection to a watchdog that waits for what it asks.
final class WatchdogPeer {
    let descriptor: Int32
    private var frames = FrameBuffer()
    /// What the watchdog has reported by itself so far.
    private(set) var events: [WatchdogReply] = []
    private var answers: [UInt32: WatchdogReply] = [:]
    /// Of the last request.
    private(set) var number: UInt32 = 0

    init(_ path: String) throws { descriptor = try LocalSocket.connect(path: path) }

    deinit { close(descriptor) }

    func send(_ command: WatchdogRequest.Command) -> UInt32 {
        number += 1
        sendBytes(WatchdogRequest(number: number, command: command).framed())
        return number
    }

    func sendBytes(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    func ask(_ command: WatchdogRequest.Command, within seconds: Double = 10) throws -> WatchdogReply {
        let sent = send(command)
        return try #require(
            try settled(
                "answer to \(command)", within: seconds,
                {
                    try self.take(); return self.answers[sent]
                }
            ) {
                $0 != nil
            })
    }

    func list(within seconds: Double = 10) throws -> [ProcessStatus] {
        guard case .done(_, let statuses) = try ask(.list, within: seconds) else { return [] }
        return statuses
    }

    func status(_ name: String) throws -> ProcessStatus? { try list().first { $0.name == name } }

    /// Starts and returns the running process' status.
    func start(_ specification: ProcessSpecification) throws -> ProcessStatus {
        let reply = try ask(.start(specification))
        guard case .done(_, let statuses) = reply else { throw Expired(what: "start", last: "\(reply)") }
        return try #require(statuses.first)
    }

    func answerCount() throws -> Int {
        try take()
        return answers.count
    }

    /// The first report that has arrived or arrives and fits.
    func event(_ what: String, where fits: (WatchdogReply) -> Bool) throws -> WatchdogReply {
        let found = try settled(
            what,
            {
                try self.take(); return self.events
            }
        ) { $0.contains(where: fits) }
        guard let event = found.first(where: fits) else { throw Expired(what: what, last: "\(found)") }
        return event
    }

    /// Whether the watchdog has closed this connection.
    func isClosed() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno == ECONNRESET)
    }

    private func take() throws {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT)), count > 0 {
            frames.append(chunk[..<count])
        }
        while let frame = try frames.next() {
            var reader = WireReader(frame)
            let reply = try WatchdogReply(from: &reader)
            switch reply {
            case .done(let number, _), .failed(let number, _): answers[number] = reply
            case .exited, .restarted: events.append(reply)
            }
        }
    }
}
