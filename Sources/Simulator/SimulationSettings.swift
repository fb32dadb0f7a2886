import Primitives

/// What a run is made from; equal settings give equal runs.
package struct SimulationSettings: Sendable {
    /// How much goes wrong.
    package enum Kind: String, Sendable, CaseIterable {
        /// Nothing; only planned changes. No client may see an error.
        case calm
        /// One machine at a time, and the next one only when all is well again: what G1 is promised for.
        case single
        /// Anything, several at once.
        case chaos
    }

    package var seed: UInt64
    /// Of cluster time in which things go wrong; healing comes after.
    package var span: Span
    package var nodes: Int
    package var kind: Kind
    package var bug: PlantedBug?
    package var keepsStory: Bool

    /// - Parameters:
    ///   - nodes: Nil: three to five, by the seed.
    ///   - kind: Nil: by the seed; calm for one in ten, single and chaos for the others.
    package init(
        seed: UInt64, span: Span, nodes: Int? = nil, kind: Kind? = nil, bug: PlantedBug? = nil, keepsStory: Bool = false
    ) {
        var random = SeededRandom(seed: seed ^ 0x7461_726E)
        let chosenNodes = 3 + random.below(3)
        let dice = random.below(10)
        self.seed = seed
        self.span = span
        self.nodes = nodes ?? chosenNodes
        self.kind = kind ?? (dice == 0 ? .calm : dice < 5 ? .single : .chaos)
        self.bug = bug
        self.keepsStory = keepsStory
    }
}
