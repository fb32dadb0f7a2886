/// How soon what has died is held to be dead. All spans in milliseconds.
///
/// | | `high` | `low` | raising it | lowering it |
/// |---|---|---|---|---|
/// | `heartbeat` | 250 | 1000 | fewer messages; a lost one weighs more | more messages |
/// | `lease` (L) | 2000 | 8000 | a node that is cut off writes longer | a busy node stops writes without need |
/// | `suspicion` (S) | 2500 | 10000 | a lost node's writes wait longer | stays above L: the margin for clocks |
/// | `hang` | 3000 | 10000 | a hung shard blocks its clients longer | a slow one is killed without need |
///
/// Source: architecture.md, section 3.
package enum DetectionProfile: String, Codable, Sendable, CaseIterable {
    case high, low

    package var heartbeat: Int64 { self == .high ? 250 : 1000 }
    package var lease: Int64 { self == .high ? 2000 : 8000 }
    package var suspicion: Int64 { self == .high ? 2500 : 10_000 }
    package var hang: Int64 { self == .high ? 3000 : 10_000 }
}
