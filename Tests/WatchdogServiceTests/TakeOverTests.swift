import Primitives
import Testing
import WatchdogProtocol
import WatchdogService

@Suite struct TakeOver {
    /// A table with one process in each state, and what it would save.
    private func everyState() -> (TableStory, [SavedProcess]) {
        var story = TableStory()
        for name in ["shard-1", "shard-2", "shard-3"] { _ = story.request(.start(process(name))) }
        for name in ["etcd", "proxy"] { _ = story.request(.start(process(name, .always))) }
        _ = story.exit("shard-2", .status(1))
        _ = story.request(.stop(name: "shard-3"))
        _ = story.exit("etcd")
        _ = story.exit("etcd")
        return (story, story.table.saved)
    }

    @Test func theStateFileComesBackEqualAndItsPartsAreRefused() throws {
        let state = SavedState(machine: "boot pid:[1]", processes: everyState().1)
        var writer = WireWriter()
        state.encode(into: &writer)
        var reader = WireReader(writer.bytes)
        #expect(try SavedState(from: &reader) == state)
        for count in 0..<writer.bytes.count {
            #expect(throws: WireError.self) {
                var reader = WireReader(writer.bytes[..<count])
                _ = try SavedState(from: &reader)
            }
        }
    }

    @Test func theLivingAreAdoptedAndNothingIsStartedTwice() {
        let (before, saved) = everyState()
        var story = TableStory()
        let living = Set(["shard-1", "shard-3", "proxy"].map(before.identity))
        let actions = story.carryOut(story.table.restore(saved, living: living, at: story.now))
        let adopted = actions.compactMap { if case .adopt(let name, _) = $0 { name } else { nil } }
        let spawned = actions.compactMap { if case .spawn(let name) = $0 { name } else { nil } }
        #expect(adopted == ["proxy", "shard-1", "shard-3"])
        #expect(spawned == ["etcd"])
        #expect(story.status("shard-1")?.pid == before.identity("shard-1").pid)
        #expect(story.status("shard-2")?.state == .ended)
        #expect(story.status("shard-2")?.lastExit == .status(1))
        // The stop that was under way is seen through, without a second stop signal.
        #expect(story.status("shard-3")?.state == .stopping)
        #expect(story.pass(milliseconds: 2000) == [.kill(before.identity("shard-3"))])
        // Its own processes are there already.
        #expect(story.carryOut(story.table.ensure(process("proxy", .always))).isEmpty)
    }

    @Test func whatDiedMeanwhileIsRestartedOrListedAsEnded() {
        let (before, saved) = everyState()
        var story = TableStory()
        _ = story.carryOut(story.table.restore(saved, living: [], at: story.now))
        #expect(story.status("shard-1")?.state == .ended)
        #expect(story.status("shard-1")?.lastExit == .unknown)
        #expect(story.status("shard-3") == nil)
        #expect(story.status("proxy")?.state == .running)
        #expect(story.status("proxy")?.restarts == 1)
        #expect(before.status("proxy")?.restarts == 0)
    }

    @Test func aPidThatWasReusedIsNotTaken() {
        let (before, saved) = everyState()
        var other = before.identity("shard-1")
        other.startTicks += 1
        var story = TableStory()
        let actions = story.carryOut(story.table.restore(saved, living: [other], at: story.now))
        #expect(!actions.contains { if case .adopt = $0 { true } else { false } })
    }
}
