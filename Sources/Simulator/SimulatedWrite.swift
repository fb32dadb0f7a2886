import ClusterModel

/// One write of one client: a number that nobody else writes.
final class SimulatedWrite {
    enum Outcome {
        case acknowledged
        /// It was not done and never will be.
        case failed
        /// It may have been done.
        case unknown
    }

    let number: Int
    let database: DatabaseID
    let slots: SlotRange
    private(set) var outcome: Outcome?
    /// Until it has ended: it holds the write itself.
    private var answer: ((Outcome) -> Void)?
    /// The shard that it was sent to.
    var shard: ShardID?

    init(_ number: Int, to database: DatabaseID, _ slots: SlotRange, answer: @escaping (Outcome) -> Void) {
        self.number = number
        self.database = database
        self.slots = slots
        self.answer = answer
    }

    func end(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        let answer = answer
        self.answer = nil
        answer?(outcome)
    }
}
