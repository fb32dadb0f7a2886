/// A kind of database that faults are tried on.
struct DatabaseKind: Sendable {
    let name: String
    /// For `tarn db create`.
    let options: [String]
    let primaries: Int
    let isReplicated: Bool
    /// Whether no acknowledged write may be lost (G1).
    var isDurable = false
    /// Whether it is there only when it is asked for by name.
    var isSpecial = false
    /// An option of `tarn db create` without which this release has no such kind.
    var needs: String?

    static let all = [
        DatabaseKind(name: "simple", options: ["--shards", "1"], primaries: 1, isReplicated: false),
        DatabaseKind(
            name: "simple-aof", options: ["--shards", "1", "--persistence", "aof"], primaries: 1,
            isReplicated: false),
        DatabaseKind(name: "ha", options: ["--shards", "1", "--replication"], primaries: 1, isReplicated: true),
        DatabaseKind(
            name: "ha-clustered", options: ["--shards", "3", "--replication"], primaries: 3, isReplicated: true),
        DatabaseKind(
            name: "ha-replica", options: ["--shards", "1", "--replication", "--durability", "replica"], primaries: 1,
            isReplicated: true, isDurable: true, needs: "--durability"),
        DatabaseKind(
            name: "ha-clustered-replica",
            options: ["--shards", "3", "--replication", "--durability", "replica"], primaries: 3,
            isReplicated: true, isDurable: true, needs: "--durability"),
        DatabaseKind(
            name: "ha-six", options: ["--shards", "6", "--replication"], primaries: 6, isReplicated: true,
            isSpecial: true),
    ]

    /// What faults are tried on unless something else is asked for.
    static let usual = all.filter { !$0.isSpecial }
}

/// One of them in the cluster.
struct LabDatabase: Sendable {
    var kind: DatabaseKind
    var uid: Int
    var endpoint: Endpoint
    /// The range of every primary, in order of the slots.
    var slots: [ClosedRange<Int>]
}
