/// What one run of one load against one system showed.
struct Sample {
    var requestsPerSecond = 0.0
    /// Microseconds from the first byte of a batch to the last byte of its replies.
    var median = 0.0
    var p99 = 0.0
    var p999 = 0.0
    /// Microseconds of CPU per request: the proxy's, and of them in user code.
    var proxy = 0.0
    var proxyUser = 0.0
    /// The generator's, and its share of one core for each of its threads.
    var generator = 0.0
    var generatorShare = 0.0
    /// Share of the machine that others took: neither system, nor shards, nor generator.
    var foreign = 0.0
    var residentBytes = 0.0
}

/// The samples of one system and load.
struct Cell {
    var samples: [Sample] = []

    func median(_ value: KeyPath<Sample, Double>) -> Double { Statistics.median(samples.map { $0[keyPath: value] }) }
}

enum Statistics {
    /// 0 for none.
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Nil where there is nothing to compare.
    static func ratio(_ own: Double, _ peer: Double) -> Double? { own > 0 && peer > 0 ? own / peer : nil }
}
