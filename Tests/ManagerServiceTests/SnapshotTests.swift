import ClusterModel
import ClusterStore
import FoundationEssentials
import ManagerCore
import Primitives
import Testing

@testable import ManagerService

/// Copies of the configuration, the shelf that they lie on, and what tells a broken member from a killed one.
struct SnapshotTests {
    private func state() async throws -> ClusterState {
        let fixture = try await ClusterFixture()
        var state = ClusterState()
        for change in fixture.seed.plan.changes { state.apply(change, key: change.key.path, revision: 7) }
        state.apply(.leader(NodeID(1)), key: StoreKey.leader.path, revision: 8)
        return state
    }

    private func snapshot(revision: Int64 = 8, generation: Int = 0) async throws -> ClusterSnapshot {
        var state = try await state()
        state.advance(to: revision)
        return try ClusterSnapshot(
            of: state, node: NodeID(1), store: StoreIdentity(generation: generation, id: ""),
            takenAt: ClusterFixture.start)
    }

    private func inDirectory(_ body: (String) throws -> Void) throws {
        let directory = "/tmp/tarn-shelf-\(UInt64.random(in: 0...UInt64.max))"
        defer { try? SnapshotShelf(directory: directory).removeAll() }
        try body(directory)
    }

    @Test func aCopyComesBackAsItWas() async throws {
        let before = try await state()
        let snapshot = try ClusterSnapshot(
            of: before, node: NodeID(1), store: .first, takenAt: ClusterFixture.start)
        let again = try ClusterSnapshot(parsing: try snapshot.encoded())
        #expect(again.header == snapshot.header)
        let after = try again.state()
        #expect(after.lastingRecords == before.lastingRecords)
        #expect(after.leader == nil, "who led is no part of the configuration")
    }

    @Test func halfACopyIsNone() async throws {
        let bytes = try await snapshot().encoded()
        #expect(throws: (any Error).self) { try ClusterSnapshot(parsing: Array(bytes.dropLast())) }
        var flipped = bytes
        flipped[bytes.count - 10] ^= 1
        #expect(throws: (any Error).self) { try ClusterSnapshot(parsing: flipped) }
        #expect(throws: (any Error).self) { try ClusterSnapshot(parsing: []) }
    }

    @Test func aStateWithoutAHeadMakesNoCopy() {
        #expect(throws: (any Error).self) {
            try ClusterSnapshot(of: ClusterState(), node: NodeID(1), store: .first, takenAt: ClusterFixture.start)
        }
    }

    @Test func theShelfGivesTheNewestThatCanBeRead() async throws {
        let first = try await snapshot(revision: 9)
        let second = try await snapshot(revision: 10)
        let later = try await snapshot(revision: 3, generation: 1)
        try inDirectory { directory in
            let shelf = SnapshotShelf(directory: directory)
            #expect(shelf.newest() == nil)
            try shelf.save(second)
            try shelf.save(first)
            #expect(shelf.newest()?.header.revision == 10)
            try shelf.damage(SnapshotShelf.name(second.header))
            #expect(shelf.newest()?.header.revision == 9)
            // Revisions begin anew with each store.
            try shelf.save(later)
            #expect(shelf.newest()?.header.store.generation == 1)
            #expect(first.header.isOlder(than: later.header))
        }
    }

    @Test func aBurstLeavesTheLastOfEachHour() {
        // Oldest first: one every ten minutes for four hours.
        let files = (0..<24).map {
            SnapshotShelf.File(name: "\($0)", time: WallTime(milliseconds: Int64($0) * 600_000))
        }
        let kept = files.map(\.name).filter { !SnapshotShelf.surplus(files).contains($0) }
        #expect(kept == ["3", "9", "15", "21", "22", "23"])
        #expect(SnapshotShelf.surplus([]) == [] && SnapshotShelf.surplus(Array(files.prefix(2))) == [])
    }

    /// Status 0: the others have removed it.
    @Test(arguments: [1, 0] as [Int32]) func aMemberThatEndsByItselfAgainAndAgainIsBroken(status: Int32) {
        var failures = StoreFailures()
        func failuresNote(_ restarts: Int, _ status: Int32?, _ moment: ContinuousClock.Instant) -> Bool {
            failures.note(restarts: UInt32(restarts), status: status, at: moment)
        }
        let start = ContinuousClock.now
        #expect(!failuresNote(0, nil, start))
        for count in 1...3 {
            #expect(!failuresNote(count, status, start + .seconds(count)))
        }
        #expect(failuresNote(4, status, start + .seconds(5)))
    }

    @Test func aMemberThatWasKilledIsNot() {
        var failures = StoreFailures()
        func failuresNote(_ restarts: Int, _ status: Int32?, _ moment: ContinuousClock.Instant) -> Bool {
            failures.note(restarts: UInt32(restarts), status: status, at: moment)
        }
        let start = ContinuousClock.now
        for count in 0...20 {
            #expect(!failuresNote(count, nil, start + .seconds(count)))
        }
        var slow = StoreFailures()
        func slowNote(_ restarts: Int, _ status: Int32?, _ moment: ContinuousClock.Instant) -> Bool {
            slow.note(restarts: UInt32(restarts), status: status, at: moment)
        }
        for count in 0...20 {
            #expect(!slowNote(count, 1, start + .seconds(count * 40)))
        }
    }

    @Test func whatAnotherCopyWouldNotHealIsNoReasonForOne() {
        #expect(StoreFailures.hindrance(in: "listen tcp 127.0.0.1:9380: bind: address already in use") != nil)
        #expect(StoreFailures.hindrance(in: "walpb: crc mismatch") == nil)
    }
}

extension SnapshotShelf {
    fileprivate func damage(_ name: String) throws {
        try Data([0x7B]).write(to: URL(filePath: "\(directory)/\(name)"))
    }

    fileprivate func removeAll() throws { try FileManager.default.removeItem(atPath: directory) }
}
