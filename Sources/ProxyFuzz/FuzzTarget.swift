import Primitives

/// One thing that hostile bytes reach, with what must hold for every input.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// What clients send: the scanner against the rules written out slowly, whole and in pieces.
    case requests
    /// What shards send: both ways to find the end of a reply.
    case replies
    /// Keys of commands, with the compiled table and with specifications that a shard made up.
    case keys
    /// One reply of several.
    case merges
    /// The line format of requests.
    case inline

    /// Makes one input and looks at it.
    ///
    /// - Returns: What is wrong; nil when everything holds.
    func tryOne(_ random: inout SeededRandom) -> String? {
        switch self {
        case .requests: RequestFuzz.tryOne(&random)
        case .replies: ReplyFuzz.tryOne(&random)
        case .keys: KeyFuzz.tryOne(&random)
        case .merges: MergeFuzz.tryOne(&random)
        case .inline: InlineFuzz.tryOne(&random)
        }
    }
}

/// Runs targets for a time, each try from a seed of its own, so that a failure can be had again alone.
package struct FuzzRun: Sendable {
    package var seed: UInt64
    package var targets: [FuzzTarget]
    package var limit: Duration
    /// Called before every try, for whoever wants to know what a crash was about.
    package var onTry: @Sendable (FuzzTarget, UInt64) -> Void = { _, _ in }

    package init(seed: UInt64, targets: [FuzzTarget] = FuzzTarget.allCases, limit: Duration) {
        self.seed = seed
        self.targets = targets
        self.limit = limit
    }

    package struct Outcome: Sendable {
        package var tries = 0
        /// At most ten.
        package var failures: [String] = []
    }

    package func run() -> Outcome {
        var outcome = Outcome()
        let end = ContinuousClock.now + limit
        var number = seed
        while outcome.failures.count < 10 {
            for target in targets {
                onTry(target, number)
                var random = SeededRandom(seed: number)
                if let violation = target.tryOne(&random) {
                    outcome.failures.append("\(target.rawValue), seed \(number): \(violation)")
                }
                outcome.tries += 1
            }
            number &+= 1
            // The clock is dearer than most tries.
            if number % 16 == 0 && ContinuousClock.now >= end { break }
        }
        return outcome
    }
}
