import Glibc
import Primitives
import Testing
import WatchdogProtocol

private let canUnshare = (try? runProgram("unshare", ["--pid", "--fork", "--mount-proc", "true"]))?.status == 0

@Suite struct WatchdogSurvival {
    @Test func afterKillNineTheLivingAreAdoptedAndTheirEndIsNoticed() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let shard = try client.start(shell("shard-1", "exec sleep 1000"))
        let doomed = try client.start(shell("shard-2", "exec sleep 1000"))
        let etcd = try client.start(shell("etcd", "exec sleep 1000", .always))
        let before = try client.list()
        fixture.killWatchdog()
        #expect(!isDead(shard.pid))
        for pid in [doomed.pid, etcd.pid] {
            kill(pid, SIGKILL)
            try settled("end of \(pid)", { isDead(pid) }) { $0 }
        }

        let again = try fixture.start()
        let after = try settled("etcd again", { try again.list() }) { statuses in
            statuses.contains { $0.name == "etcd" && $0.state == .running }
        }
        for name in ["shard-1", "manager", "proxy"] {
            #expect(after.first { $0.name == name } == before.first { $0.name == name })
        }
        let ended = after.first { $0.name == "shard-2" }
        #expect(ended?.state == .ended)
        #expect(ended?.lastExit == .unknown)
        #expect(after.first { $0.name == "etcd" }?.pid != etcd.pid)
        #expect(children(of: fixture.pid).count == 1, "only etcd was started anew")

        kill(shard.pid, SIGKILL)
        guard case .exited(let status) = try again.event("exit", where: isExit(of: "shard-1")) else { return }
        #expect(status.lastExit == .unknown)
        let proxy = try #require(after.first { $0.name == "proxy" })
        kill(proxy.pid, SIGKILL)
        _ = try again.event("restart", where: isRestart(of: "proxy"))
    }

    /// Kills it at any moment of a burst of starts: afterwards exactly those processes live that it knows of.
    @Test func killNineDuringStartsLeavesNoStrayAndNoDuplicate() throws {
        let fixture = try WatchdogFixture()
        var random = SeededRandom(seed: 4)
        for round in 0..<15 {
            let client = try fixture.start()
            for number in 0..<20 {
                _ = client.send(.start(shell("shard-\(round)-\(number)", "exec sleep 1000")))
            }
            let answered = Int.random(in: 0...15, using: &random)
            try settled("\(answered) starts", { try client.answerCount() }) { $0 > answered }
            usleep(.random(in: 0...2000, using: &random))
            fixture.killWatchdog()
        }
        let client = try fixture.start()
        let known = try client.list().map(\.pid).filter { $0 > 0 }.sorted()
        try settled("the known and no others", { processes(mentioning: fixture.prefix, in: "environ").sorted() }) {
            $0 == known
        }
        #expect(known.count > 20)
    }

    @Test(arguments: [true, false]) func reexecutionKeepsTheChildren(bySignal: Bool) throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let shard = try client.start(shell("shard-1", "exec sleep 1000"))
        let before = try client.list()
        if bySignal {
            kill(fixture.pid, SIGHUP)
            try settled("the connection's end", { client.isClosed() }) { $0 }
        } else {
            // Who asked keeps its connection and is answered by the new program.
            guard case .done(_, let statuses) = try client.ask(.reexecute(path: "")) else { return }
            #expect(statuses == before)
        }
        let again = try WatchdogPeer(fixture.socket)
        #expect(try again.list() == before)
        #expect(processFacts(shard.pid)?.parent == fixture.pid)
        #expect(try runProgram(WatchdogFixture.program, ["--prefix", fixture.prefix]).status == 3, "it kept its lock")
        // A real child, so its status is known.
        kill(shard.pid, SIGABRT)
        guard case .exited(let status) = try again.event("exit", where: isExit(of: "shard-1")) else { return }
        #expect(status.lastExit == .signal(SIGABRT))
        #expect(contentOfFile("/proc/\(fixture.pid)/environ")?.contains("opt/tarn") == false)
    }

    @Test func aFailedReexecutionChangesNothing() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let before = try client.list()
        for (program, reason) in [
            ("/nowhere/tarn-watchdog", "cannot execute /nowhere/tarn-watchdog: No such file or directory"),
            ("/bin/false", "/bin/false --version did not end well; is it a tarn-watchdog?"),
        ] {
            guard case .failed(_, let message) = try client.ask(.reexecute(path: program)) else {
                return #expect(Bool(false))
            }
            #expect(message == reason)
        }
        #expect(try client.list() == before)
        #expect(try WatchdogPeer(fixture.socket).list() == before)
    }

    @Test func aSecondOneIsRefused() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        for mode in ["--foreground", "--daemon"] {
            let second = try runProgram(WatchdogFixture.program, ["--prefix", fixture.prefix, mode])
            #expect(second.status == 3)
            #expect(second.output.contains("pid \(fixture.pid)"))
        }
        #expect(try client.list().count == 2)
        #expect(children(of: fixture.pid).count == 2)
    }

    @Test func asDaemonItReturnsWhenTheSocketAnswers() throws {
        let fixture = try WatchdogFixture()
        #expect(try runProgram(WatchdogFixture.program, ["--prefix", fixture.prefix, "--daemon"]) == (0, ""))
        let client = try WatchdogPeer(fixture.socket)
        let pids = try settled("both", { try client.list().map(\.pid).filter { $0 > 0 } }) { $0.count == 2 }
        #expect(try client.ask(.shutdown) == .done(number: client.number, []))
        for pid in pids { #expect(isDead(pid)) }
        #expect(access(fixture.socket, F_OK) != 0)

        let broken = try WatchdogFixture(supervisor: "upstart")
        let refused = try runProgram(WatchdogFixture.program, ["--prefix", broken.prefix, "--daemon"])
        #expect(refused.status == 1)
        #expect(refused.output.contains("accepted: systemd, self, container"))
    }

    @Test func hostileAndSlowPeersLoseOnlyTheirConnection() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        for bytes: [UInt8] in [[255, 255, 255, 127], [1, 0, 0, 0, 0], [6, 0, 0, 0, 1, 0, 0, 0, 4, 0]] {
            let hostile = try WatchdogPeer(fixture.socket)
            hostile.sendBytes(bytes)
            try settled("close for \(bytes)", { hostile.isClosed() }) { $0 }
        }
        // It asks and never reads: the answers pile up to the limit, then it is dropped.
        let slow = try WatchdogPeer(fixture.socket)
        let flood = (0..<200).flatMap { WatchdogRequest(number: $0, command: .list).framed() }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(slow.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var sent = 0
        while sent < 2000, send(slow.descriptor, flood, flood.count, Int32(MSG_NOSIGNAL)) > 0 { sent += 1 }
        #expect(sent < 2000, "the connection must have been closed")
        #expect(try client.list().count == 2)
    }

    @Test func anOrderlyStopGoesThroughThePhases() throws {
        let traps = ["TERM", "USR2"].map { "trap 'echo $0 \($0) >> \"$2/order\"; exit 0' \($0);" }
        let fixture = try WatchdogFixture(
            own: "\(traps.joined(separator: " ")) echo; while :; do sleep 0.01; done")
        let client = try fixture.start()
        let script = { (name: String) in
            "trap 'echo \(name) >> \(fixture.prefix)/order; exit 0' TERM; echo; while :; do sleep 0.01; done"
        }
        for name in ["proxy", "manager"] {
            try settled("\(name) ready", { fixture.read("var/log/tarn/\(name).log") }) { !$0.isEmpty }
        }
        for (name, phase) in [("etcd", 40), ("shard-1", 30)] as [(String, UInt8)] {
            _ = try client.start(shell(name, script(name), phase: phase))
            // Its first output says that its trap is set.
            try settled("\(name) ready", { fixture.read("var/log/tarn/\(name).log") }) { !$0.isEmpty }
        }
        kill(fixture.pid, SIGTERM)
        #expect(try fixture.waitForEnd() == 0)
        let order = fixture.read("order").split(separator: "\n").map { $0.split(separator: "/").last.map(String.init) }
        #expect(order == ["tarn-manager USR2", "tarn-proxy TERM", "shard-1", "etcd"])
    }

    @Test(.enabled(if: canUnshare, "needs the right to make a pid namespace"))
    func asPIDOneItReapsOrphansAndStopsInOrder() throws {
        let fixture = try WatchdogFixture(
            own: "(sh -c 'echo orphan; exec sleep 0.3' &); exec sleep 1000", supervisor: "container")
        let client = try fixture.start(
            through: ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
        let watchdog = try #require(children(of: fixture.pid).first)
        #expect(contentOfFile("/proc/\(watchdog)/status")?.contains("NSpid:\t\(watchdog)\t1\n") == true)
        for name in ["proxy", "manager"] {
            try settled("orphan of \(name)", { fixture.read("var/log/tarn/\(name).log") }) { $0 == "orphan\n" }
        }
        try settled("orphans collected", { children(of: watchdog).count }) { $0 == 2 }
        for child in children(of: watchdog) { #expect(processFacts(child)?.state != "Z") }
        #expect(try client.list().map(\.state) == [.running, .running])
        kill(watchdog, SIGTERM)
        #expect(try fixture.waitForEnd() == 0)
    }
}
