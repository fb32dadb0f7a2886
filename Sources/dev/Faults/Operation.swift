/// One command of one client, as that client saw it. Times are monotonic nanoseconds since the run began.
///
/// Lists grow only and hold each element once; a register has one writer, whose versions grow. So what a correct
/// database may answer can be told from the clients' notes alone.
struct Operation: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case append(list: Int, element: Int)
        /// Asks for the last element.
        case last(list: Int)
        case write(register: Int, version: Int)
        case read(register: Int)
    }

    enum Outcome: Sendable, Equatable {
        /// A write was acknowledged.
        case done
        /// A read was answered; nil: there is no such key.
        case value(Int?)
        /// The client was told that nothing was done.
        case refused
        /// Sent, and nobody said what became of it: it may have been done, or may be done later.
        case unknown
    }

    var client: Int
    /// The shard that the key belongs to.
    var shard: Int
    var kind: Kind
    var outcome: Outcome
    var start: Int64
    var end: Int64

    var isSuccess: Bool {
        switch outcome {
        case .done, .value: true
        case .refused, .unknown: false
        }
    }
}

/// All that the clients of one database did in one run, and what the database held afterwards.
struct History: Sendable {
    var operations: [Operation]
    /// Elements of every list, first to last; a list that is not there is empty.
    var lists: [Int: [Int]]
}
