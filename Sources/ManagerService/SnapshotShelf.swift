package import ClusterModel
import FoundationEssentials
import HostControl
package import Logging
package import ManagerCore
import NIOPosix
package import Primitives

/// The copies of the configuration on this node's disk: the newest two, and of older ones one per hour, ``kept`` in
/// all.
///
/// A file's name has its place in the order: generation of the store and revision, with leading zeros. What can't be
/// read is passed over, so a damaged newest copy costs the changes since the one before it.
package struct SnapshotShelf: Sendable {
    package static let kept = 6
    private static let suffix = ".snapshot"

    package let directory: String

    package init(directory: String) {
        self.directory = directory
    }

    package func save(_ snapshot: ClusterSnapshot) throws {
        try HostFile.makeDirectory(directory, mode: 0o700)
        try HostFile.write(try snapshot.encoded(), to: path(Self.name(snapshot.header)), mode: 0o600)
        for name in Self.surplus(files) { try FileManager.default.removeItem(atPath: path(name)) }
    }

    /// A copy's time is that of the last change, so what is there already isn't written again after a restart.
    package func saveIfNew(_ snapshot: ClusterSnapshot) throws {
        if let newest = newest(), newest.header.store == snapshot.header.store,
            newest.entries.map(\.value) == snapshot.entries.map(\.value)
        {
            return
        }
        try save(snapshot)
    }

    /// The newest that can be read.
    package func newest() -> ClusterSnapshot? {
        for file in files.reversed() {
            if let bytes = try? HostFile.read(path(file.name)), let snapshot = try? ClusterSnapshot(parsing: bytes) {
                return snapshot
            }
        }
        return nil
    }

    struct File: Hashable {
        var name: String
        var time: WallTime
    }

    private var files: [File] {
        HostFile.names(in: directory).filter { $0.hasSuffix(Self.suffix) }.map {
            File(name: $0, time: HostFile.modificationTime(path($0)) ?? WallTime(milliseconds: 0))
        }
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    static func name(_ header: ClusterSnapshot.Header) -> String {
        "\(pad(Int64(header.store.generation), 4))-\(pad(header.revision, 12))\(suffix)"
    }

    private static func pad(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Which files to remove; they come oldest first.
    static func surplus(_ files: [File]) -> [String] {
        var keep = Set(files.suffix(2).map(\.name))
        var last: WallTime?
        // From new to old, so that a burst of changes leaves the last of each hour.
        for file in files.dropLast(2).reversed() where keep.count < kept {
            if let last, last.milliseconds - file.time.milliseconds < 3_600_000 { continue }
            keep.insert(file.name)
            last = file.time
        }
        return files.map(\.name).filter { !keep.contains($0) }
    }
}

/// Writes a copy whenever a record has changed, at most one a second.
package struct SnapshotKeeper: Sendable {
    /// What is lost with all of the store is at most the changes of this span. Lowering it makes a disk busier when
    /// many databases change at once; raising it makes the copies older.
    private static let interval = Duration.seconds(1)

    private let shelf: SnapshotShelf
    private let node: NodeID
    private let store: StoreIdentity
    private let now: @Sendable () -> WallTime
    private let logger: Logger

    package init(
        shelf: SnapshotShelf, node: NodeID, store: StoreIdentity, now: @escaping @Sendable () -> WallTime,
        logger: Logger
    ) {
        self.shelf = shelf
        self.node = node
        self.store = store
        self.now = now
        self.logger = logger
    }

    /// Runs until cancelled.
    package func run(states: AsyncStream<ClusterState>) async {
        var written: [String: Int64] = [:]
        for await state in states {
            if Task.isCancelled { return }
            let lasting = Self.lasting(state)
            guard lasting != written, state.head != nil, !state.isProvisional else { continue }
            do {
                let snapshot = try ClusterSnapshot(of: state, node: node, store: store, takenAt: now())
                // Waits for the disk, which must keep none of the few threads that everything else runs on.
                try await NIOThreadPool.singleton.runIfActive { [shelf] in try shelf.saveIfNew(snapshot) }
                written = lasting
            } catch {
                logger.warning("could not keep a copy of the configuration", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// The leader's claim and votes come and go and are in no copy.
    private static func lasting(_ state: ClusterState) -> [String: Int64] {
        state.revisions.filter { path, _ in
            switch StoreKey(path: path) {
            case .leader, .suspicion, nil: false
            default: true
            }
        }
    }
}
