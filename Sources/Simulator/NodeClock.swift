import Primitives

/// The two clocks of one machine. The boot-time clock runs a little fast or slow and never jumps; the wall clock jumps.
struct NodeClock {
    /// Parts of a million by which it runs fast.
    let drift: Int64
    /// What it showed at the beginning of the run, or at the last start of the machine.
    private var bootOffset: Int64
    private var bootedAt = Moment.start
    /// Milliseconds by which the wall clock is wrong.
    var wallError: Int64 = 0

    init(drift: Int64, bootOffset: Int64) {
        self.drift = drift
        self.bootOffset = bootOffset
    }

    func boot(at now: Moment) -> BootTime {
        let passed = (now - bootedAt).microseconds
        return BootTime(milliseconds: bootOffset + (passed + passed / 1_000_000 * drift) / 1000)
    }

    func wall(at now: Moment) -> WallTime {
        WallTime(milliseconds: 1_764_000_000_000 + now.microseconds / 1000 + wallError)
    }

    /// True time until this clock has counted so many milliseconds more.
    func span(_ milliseconds: Int64) -> Span {
        Span(microseconds: milliseconds * 1_000_000_000 / (1_000_000 + drift))
    }

    mutating func boots(at now: Moment) {
        bootedAt = now
        bootOffset = 0
    }
}
