/// A key and its value at one revision.
package struct StoreEntry: Hashable, Sendable {
    package var key: String
    package var value: [UInt8]
    /// Revision of the transaction that last wrote the key.
    package var modifiedRevision: Int64

    package init(key: String, value: [UInt8], modifiedRevision: Int64) {
        self.key = key
        self.value = value
        self.modifiedRevision = modifiedRevision
    }
}

/// What must hold for a transaction to go through.
package enum StoreCondition: Hashable, Sendable {
    /// The key was last written at this revision; 0: it doesn't exist.
    case modifiedRevision(key: String, equals: Int64)
}

/// One write of a transaction.
package enum StoreWrite: Hashable, Sendable {
    case put(key: String, value: [UInt8], lease: StoreLease? = nil)
    case delete(key: String)
}

/// A time-bounded claim: keys written under it vanish when it isn't renewed.
package struct StoreLease: Hashable, Sendable {
    package var id: Int64
    package init(id: Int64) { self.id = id }
}

package enum StoreTransactionResult: Hashable, Sendable {
    /// All conditions held; every write is in, at this revision.
    case committed(revision: Int64)
    /// Some condition did not hold; nothing was written.
    case conflict
}

/// All entries under a prefix as of one revision.
package struct StoreSnapshot: Hashable, Sendable {
    package var entries: [StoreEntry]
    package var revision: Int64

    package init(entries: [StoreEntry], revision: Int64) {
        self.entries = entries
        self.revision = revision
    }
}

package enum StoreEvent: Hashable, Sendable {
    case put(StoreEntry)
    case delete(key: String, revision: Int64)
}

/// What one transaction did to the watched keys; never split over two changes.
package struct StoreChange: Hashable, Sendable {
    package var events: [StoreEvent]
    package var revision: Int64

    package init(events: [StoreEvent], revision: Int64) {
        self.events = events
        self.revision = revision
    }
}

/// A member of the group of processes that keeps the store.
package struct StoreMember: Hashable, Sendable {
    package var id: UInt64
    /// Empty until the member has started for the first time.
    package var name: String
    package var peerURLs: [String]
    package var isLearner: Bool

    package init(id: UInt64, name: String, peerURLs: [String], isLearner: Bool) {
        self.id = id
        self.name = name
        self.peerURLs = peerURLs
        self.isLearner = isLearner
    }
}

package struct StoreError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// No member answered in time, or there is no majority. A write may or may not have happened:
        /// repeat it with the same condition.
        case unavailable
        /// The watch asked for a revision that was compacted away: take a new snapshot and watch from there.
        case compacted
        /// The lease has expired or never was.
        case leaseLost
        /// The member can't be added or promoted yet (peers not all connected, learner not in sync). Try again.
        case notReady
        /// The store answered something that we don't understand; the message has it.
        case protocolViolation
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

/// The cluster configuration store: a small, strongly consistent map with transactions, leases and watches.
///
/// Reads are linearizable. Every call has a short deadline of its own (about 200 ms an attempt) and tries other
/// members until `unavailable` is thrown after a few seconds; a write that ran into a deadline may have happened,
/// which is why every write that matters carries a condition. Two implementations, `EtcdStore` and ``InMemoryStore``,
/// pass the same contract tests.
package protocol ClusterStore: Sendable {
    /// Everything under a prefix, as of one revision. A whole key is a prefix too.
    func snapshot(prefix: String) async throws(StoreError) -> StoreSnapshot

    /// All writes or none.
    func commit(_ writes: [StoreWrite], if conditions: [StoreCondition]) async throws(StoreError)
        -> StoreTransactionResult

    /// Changes under a prefix, in order, none left out, from `revision` (inclusive) on. Ends with an error when the
    /// stream breaks; the caller goes on from the last revision it saw plus one. Cancelling the task ends it.
    func watch(prefix: String, from revision: Int64) -> AsyncThrowingStream<StoreChange, any Error>

    /// - Parameter seconds: Time to live, whole seconds, at least 1.
    func grantLease(seconds: Int) async throws(StoreError) -> StoreLease

    /// - Throws: ``StoreError/Code/leaseLost`` when it is too late.
    func renew(_ lease: StoreLease) async throws(StoreError)

    func revoke(_ lease: StoreLease) async throws(StoreError)

    func members() async throws(StoreError) -> [StoreMember]

    /// Adds a member without a vote, to be promoted when it has caught up.
    func addLearner(peerURL: String) async throws(StoreError) -> StoreMember

    func promote(member id: UInt64) async throws(StoreError)

    func remove(member id: UInt64) async throws(StoreError)

    /// The member is reached by its peers at this address from now on.
    func update(member id: UInt64, peerURL: String) async throws(StoreError)
}
