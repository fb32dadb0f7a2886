import Testing
import WatchdogProtocol
import WatchdogService

@Suite struct StartAndStop {
    @Test func aStartIsSavedBeforeItsProgramRunsAndThenAnswered() {
        var story = TableStory()
        let actions = story.request(.start(process("shard-1")), number: 7)
        let running = ProcessStatus(name: "shard-1", state: .running, pid: 101, restarts: 0, lastExit: nil)
        #expect(
            actions == [
                .spawn("shard-1"), .save, .reply(Ticket(connection: 1, number: 7), .done(number: 7, [running])),
            ])
    }

    @Test func theSameOrderAgainIsAnsweredAndAnotherOneRefused() {
        var story = TableStory()
        _ = story.request(.start(process("shard-1")))
        #expect(story.request(.start(process("shard-1"))).replies == [.done(number: 1, story.table.statuses)])
        #expect(story.request(.start(process("shard-1", arguments: ["x"]))).failure?.contains("stop it first") == true)
    }

    @Test func aFirstStartThatFailsLeavesNothing() {
        var story = TableStory()
        story.broken = ["shard-1"]
        #expect(story.request(.start(process("shard-1"))).failure == "cannot execute")
        #expect(story.table.statuses.isEmpty)
    }

    @Test func specificationsAreChecked() {
        var faulty = process("shard-1")
        faulty.stopSignal = 0
        var relative = process("shard-1")
        relative.executable = "redis-server"
        var nul = process("shard-1")
        nul.arguments = ["a\0b"]
        let misnamed = ["Shard", "../x", "watchdog", ""].map { process($0) }
        for specification in [faulty, relative, nul] + misnamed {
            var story = TableStory()
            #expect(story.request(.start(specification)).failure != nil, "\(specification)")
            #expect(story.table.statuses.isEmpty)
        }
    }

    @Test func aStopIsAnsweredWhenTheProcessIsGone() {
        var story = TableStory()
        _ = story.request(.start(process("shard-1")))
        #expect(story.request(.stop(name: "shard-1"), number: 2) == [.save, .signal(story.identity("shard-1"), 15)])
        #expect(story.request(.stop(name: "shard-1"), number: 3).isEmpty)
        #expect(story.request(.start(process("shard-1")), number: 4).failure != nil)
        let gone = ProcessStatus(name: "shard-1", state: .ended, pid: 0, restarts: 0, lastExit: .status(0))
        let end = story.exit("shard-1", .status(0))
        #expect(end.replies == [.done(number: 2, [gone]), .done(number: 3, [gone])])
        #expect(end.broadcasts == [.exited(gone)])
        #expect(story.table.statuses.isEmpty)
        #expect(story.request(.stop(name: "shard-1")).replies == [.done(number: 1, [])])
    }

    @Test func whoDoesNotStopInTimeIsKilledAndKilledAgain() {
        var story = TableStory()
        _ = story.request(.start(process("shard-1")))
        _ = story.request(.stop(name: "shard-1"))
        #expect(story.table.nextDeadline == story.now.adding(milliseconds: 2000))
        #expect(story.pass(milliseconds: 1999).isEmpty)
        #expect(story.pass(milliseconds: 1) == [.kill(story.identity("shard-1"))])
        #expect(story.pass(milliseconds: 1000).isEmpty)
        #expect(story.pass(milliseconds: 4000) == [.kill(story.identity("shard-1"))])
    }

    @Test func aSignalReachesOnlyWhatRuns() {
        var story = TableStory()
        _ = story.request(.start(process("shard-1")))
        #expect(story.request(.signal(name: "shard-1", number: 10)).contains(.signal(story.identity("shard-1"), 10)))
        #expect(story.request(.signal(name: "shard-1", number: 65)).failure != nil)
        #expect(story.request(.signal(name: "shard-2", number: 10)).failure != nil)
    }
}

@Suite struct EndsAndRestarts {
    @Test func theEndOfAShardIsReportedAndLeftToItsManager() {
        var story = TableStory()
        _ = story.request(.start(process("shard-1")))
        let ended = ProcessStatus(name: "shard-1", state: .ended, pid: 0, restarts: 0, lastExit: .signal(11))
        #expect(story.exit("shard-1", .signal(11)) == [.save, .broadcast(.exited(ended))])
        #expect(story.pass(milliseconds: 60_000).isEmpty)
        _ = story.request(.start(process("shard-1", arguments: ["again"])))
        #expect(story.status("shard-1")?.restarts == 1)
        #expect(story.status("shard-1")?.state == .running)
    }

    @Test func aCrashLoopIsSlowedDownAndHealthForgivesIt() {
        var story = TableStory()
        _ = story.request(.start(process("etcd", .always)))
        // The first restart is at once: both reports belong to one event.
        let first = story.exit("etcd")
        #expect(first.broadcasts.count == 2)
        #expect(story.status("etcd")?.restarts == 1)
        for delay: Int64 in [100, 200, 400, 800, 1000, 1000] {
            #expect(story.exit("etcd").broadcasts.count == 1)
            #expect(story.status("etcd")?.state == .waitingToRestart)
            #expect(story.table.nextDeadline == story.now.adding(milliseconds: delay))
            #expect(story.pass(milliseconds: delay - 1).isEmpty)
            #expect(story.pass(milliseconds: 1).broadcasts.count == 1)
        }
        _ = story.pass(milliseconds: 30_000)
        #expect(story.exit("etcd").broadcasts.count == 2)
    }

    @Test func aMissingProgramOfTheNodesOwnIsTriedAgain() {
        var story = TableStory()
        story.broken = ["proxy"]
        _ = story.carryOut(story.table.ensure(process("proxy", .always)))
        #expect(story.status("proxy")?.lastExit == .status(127))
        #expect(story.status("proxy")?.state == .waitingToRestart)
        story.broken = []
        _ = story.pass(milliseconds: 100)
        #expect(story.status("proxy")?.state == .running)
    }

    @Test func theSameOrderDoesNotDefeatTheBackoffButACorrectedOneDoes() {
        var story = TableStory()
        _ = story.request(.start(process("etcd", .always)))
        _ = story.exit("etcd")
        _ = story.exit("etcd")
        _ = story.request(.start(process("etcd", .always)))
        #expect(story.status("etcd")?.state == .waitingToRestart)
        _ = story.request(.start(process("etcd", .always, arguments: ["--right"])))
        #expect(story.status("etcd")?.state == .running)
    }

    @Test func stoppingWhatWaitsForItsRestartForgetsIt() {
        var story = TableStory()
        _ = story.request(.start(process("etcd", .always)))
        _ = story.exit("etcd")
        _ = story.exit("etcd")
        _ = story.request(.stop(name: "etcd"))
        #expect(story.table.nextDeadline == nil)
        #expect(story.pass(milliseconds: 60_000).isEmpty)
    }
}

@Suite struct OrderlyStop {
    @Test func phasesFollowOneAnother() {
        var story = TableStory()
        for (name, phase) in [("etcd", 40), ("shard-1", 30), ("shard-2", 30), ("proxy", 10)] as [(String, UInt8)] {
            _ = story.request(.start(process(name, .always, phase: phase)))
        }
        #expect(story.request(.shutdown, number: 9) == [.save, .signal(story.identity("proxy"), 15)])
        #expect(story.request(.start(process("shard-3"))).failure != nil)
        #expect(story.carryOut(story.table.shutDown(for: nil, at: story.now)).isEmpty)
        let shards = story.exit("proxy")
        #expect(shards.contains(.signal(story.identity("shard-1"), 15)))
        #expect(shards.contains(.signal(story.identity("shard-2"), 15)))
        #expect(!shards.contains(.signal(story.identity("etcd"), 15)))
        #expect(!story.exit("shard-2").contains(.signal(story.identity("etcd"), 15)))
        #expect(story.exit("shard-1").contains(.signal(story.identity("etcd"), 15)))
        #expect(story.pass(milliseconds: 2000) == [.kill(story.identity("etcd"))])
        let end = story.exit("etcd")
        #expect(end.replies == [.done(number: 9, [])])
        #expect(end.last == .finish)
    }

    @Test func aCrashDuringItIsNotRestarted() {
        var story = TableStory()
        _ = story.request(.start(process("proxy", .always, phase: 10)))
        _ = story.request(.start(process("etcd", .always, phase: 40)))
        _ = story.request(.shutdown)
        _ = story.exit("etcd")
        #expect(story.exit("proxy").last == .finish)
    }

    @Test func whatWaitsForARestartDoesNotHoldItUp() {
        var story = TableStory()
        _ = story.request(.start(process("etcd", .always)))
        _ = story.exit("etcd")
        _ = story.exit("etcd")
        #expect(story.request(.shutdown).last == .finish)
    }
}
