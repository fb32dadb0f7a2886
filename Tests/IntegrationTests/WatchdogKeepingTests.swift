import Glibc
import Testing
import WatchdogProtocol

@Suite struct WatchdogKeeping {
    @Test func itStartsProxyAndManagerAndRestartsThem() throws {
        let fixture = try WatchdogFixture(own: "echo \"$@\" $TARN_SUPERVISOR $LD_LIBRARY_PATH; exec sleep 1000")
        let client = try fixture.start()
        let names = try settled("both", { try client.list().filter { $0.pid > 0 }.map(\.name) }) { $0.count == 2 }
        #expect(names == ["manager", "proxy"])
        try settled("the proxy's log", { fixture.read("var/log/tarn/proxy.log") }) {
            $0 == "--prefix \(fixture.prefix) self \(fixture.prefix)/opt/tarn/current/lib\n"
        }
        let before = try #require(try client.status("proxy"))
        let killed = ContinuousClock.now
        kill(before.pid, SIGKILL)
        guard case .restarted(let after) = try client.event("restart", where: isRestart(of: "proxy")) else { return }
        #expect(ContinuousClock.now - killed < .seconds(1))
        #expect(after.restarts == 1)
        #expect(after.pid != before.pid)
        #expect(after.lastExit == .signal(9))
    }

    @Test func aStopWaitsForTheEndAndKillsWhoIgnoresIt() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let polite = try client.start(shell("polite", "exec sleep 1000"))
        guard case .done(_, let statuses) = try client.ask(.stop(name: "polite")) else { return }
        #expect(statuses.first?.lastExit == .signal(15))
        #expect(processFacts(polite.pid) == nil, "collected, no zombie")

        // Its child shares the group, so it must not survive either.
        let script = "trap '' TERM; sleep 1000 & echo $! > \(fixture.prefix)/inner; while :; do wait; done"
        _ = try client.start(shell("deaf", script, stopTimeoutMilliseconds: 200))
        let inner = try settled("inner pid", { Int32(fixture.read("inner").dropLast()) ?? 0 }) { $0 > 0 }
        let reply = try client.ask(.stop(name: "deaf"))
        guard case .done(_, let last) = reply else { throw Expired(what: "stop", last: "\(reply)") }
        #expect(last.first?.lastExit == .signal(9))
        try settled("end of its child", { isDead(inner) }) { $0 }
        #expect(try client.status("deaf") == nil)
    }

    @Test func aFailedExecutionNamesTheProgramAndWhy() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let missing = ProcessSpecification(name: "shard-1", executable: "/nowhere/redis-server", restart: .never)
        guard case .failed(_, let message) = try client.ask(.start(missing)) else { return #expect(Bool(false)) }
        #expect(message == "cannot execute /nowhere/redis-server: No such file or directory")
        var lost = shell("shard-2", "true")
        lost.workingDirectory = "/nowhere"
        guard case .failed(_, let other) = try client.ask(.start(lost)) else { return #expect(Bool(false)) }
        #expect(other == "cannot start /bin/sh in directory /nowhere: No such file or directory")
        #expect(try client.list().map(\.name) == ["manager", "proxy"])
        #expect(children(of: fixture.pid).count == 2)
    }

    @Test func anEndIsReportedToEveryConnectionAtOnce() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let other = try WatchdogPeer(fixture.socket)
        _ = try other.list()
        _ = try client.start(shell("shard-1", "exit 7"))
        for connection in [client, other] {
            guard case .exited(let status) = try connection.event("exit", where: isExit(of: "shard-1")) else { return }
            #expect(status.state == .ended)
            #expect(status.lastExit == .status(7))
        }
        let running = try client.start(shell("shard-2", "exec sleep 1000"))
        let killed = ContinuousClock.now
        kill(running.pid, SIGSEGV)
        _ = try client.event("exit", where: isExit(of: "shard-2"))
        #expect(ContinuousClock.now - killed < .milliseconds(250))
    }

    @Test func aCrashLoopBacksOff() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let begin = ContinuousClock.now
        _ = try client.start(shell("etcd", "echo once; exit 1", .always))
        _ = try client.event("fourth restart") {
            if case .restarted(let status) = $0 { status.restarts == 4 } else { false }
        }
        // At once, then after 100, 200 and 400 ms.
        #expect(ContinuousClock.now - begin >= .milliseconds(700))
        #expect(fixture.read("var/log/tarn/etcd.log").split(separator: "\n").count >= 4)
        _ = try client.ask(.stop(name: "etcd"))
        #expect(try client.status("etcd") == nil)
    }

    @Test func limitsHoldForTheProcess() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        var limited = shell("limited", "ulimit -v; ulimit -n; ulimit -c; cat /proc/self/oom_score_adj; pwd")
        limited.addressSpaceLimitBytes = 512 << 20
        limited.openFileLimit = 77
        limited.outOfMemoryScore = 321
        limited.workingDirectory = "/usr"
        _ = try client.start(limited)
        _ = try client.event("exit", where: isExit(of: "limited"))
        #expect(fixture.read("var/log/tarn/limited.log") == "524288\n77\n0\n321\n/usr\n")

        // 64 MiB are not enough for a gigabyte in one piece.
        var greedy = shell("greedy", "exec dd if=/dev/zero of=/dev/null bs=1G count=1")
        greedy.addressSpaceLimitBytes = 64 << 20
        _ = try client.start(greedy)
        guard case .exited(let status) = try client.event("exit", where: isExit(of: "greedy")) else { return }
        #expect(status.lastExit == .status(1))
        #expect(fixture.read("var/log/tarn/greedy.log").contains("memory exhausted"))
    }

    @Test func aChildInheritsNothingButItsLog() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        let process = try client.start(shell("bare", "exec sleep 1000"))
        // While the program is being loaded, its libraries are open.
        try settled("three descriptors", { try runProgram("/bin/ls", ["/proc/\(process.pid)/fd"]).output }) {
            $0 == "0\n1\n2\n"
        }
        let status = try #require(contentOfFile("/proc/\(process.pid)/status"))
        #expect(status.contains("SigBlk:\t0000000000000000"))
        let ignored = try #require(status.split(separator: "SigIgn:\t").last?.prefix(16))
        // 32 and 33 are glibc's own, nobody else can change them.
        #expect(try #require(UInt64(ignored, radix: 16)) & ~0x1_8000_0000 == 0)
    }

    @Test func aLargeLogIsRotatedUnderItsWriter() throws {
        let fixture = try WatchdogFixture()
        let client = try fixture.start()
        _ = try client.start(
            shell("talker", "head -c 21000000 /dev/zero | tr '\\0' x; while sleep 0.05; do echo more; done"))
        try settled("rotation", within: 25, { fixture.read("var/log/tarn/talker.log.1").utf8.count }) {
            $0 >= 21_000_000
        }
        try settled("more lines", { fixture.read("var/log/tarn/talker.log") }) {
            $0.hasPrefix("more\n") && $0.utf8.count < 10_000
        }
    }
}
