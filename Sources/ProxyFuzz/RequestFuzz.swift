import Primitives
import RESP

enum RequestFuzz {
    static func tryOne(_ random: inout SeededRandom) -> String? {
        var bytes = request(&random)
        if !random.isOne(in: 3) { bytes = mutated(bytes, &random) }
        if bytes.first != UInt8(ascii: "*") { bytes.insert(UInt8(ascii: "*"), at: 0) }
        return check(bytes, &random).map { "\($0) for \(shown(bytes))" }
    }

    static func request(_ random: inout SeededRandom) -> [UInt8] {
        var writer = ReplyWriter()
        let count = random.isOne(in: 20) ? random.below(300) : random.below(6)
        writer.array(count)
        for _ in 0..<count { writer.bulk(word(&random)) }
        return writer.bytes
    }

    static func word(_ random: inout SeededRandom) -> [UInt8] {
        switch random.below(4) {
        case 0: return Array(random.one(of: ["GET", "set", "MGET", "EVAL", "OBJECT", "x", ""]).utf8)
        case 1: return (0..<random.below(20)).map { _ in UInt8(random.below(256)) }
        case 2: return Array("{\(random.below(9))}\(random.below(99))".utf8)
        default: return [UInt8](repeating: UInt8(random.below(256)), count: random.below(120))
        }
    }

    private static func scan(_ bytes: [UInt8], slack: UInt8) -> (CommandScan, ScannedCommand) {
        withSlack(bytes, slack: slack) { start, count in
            var command = ScannedCommand()
            let outcome = scanCommand(start, count, &command)
            return (outcome, command)
        }
    }

    private static func check(_ bytes: [UInt8], _ random: inout SeededRandom) -> String? {
        let (outcome, command) = scan(bytes, slack: 0x30)
        let (second, _) = scan(bytes, slack: 13)
        if outcome != second { return "the slack behind the input changed \(outcome) to \(second)" }
        let truth = ReferenceRequest(bytes)
        switch (outcome, truth.state) {
        case (.complete, .complete):
            if command.byteCount != truth.byteCount {
                return "\(command.byteCount) bytes instead of \(truth.byteCount)"
            }
            if let wrong = compareArguments(bytes, command, truth) { return wrong }
        case (.complete, let state): return "accepted what redis finds \(state)"
        case (.partial, .complete): return "whole for redis, partial here"
        case (.partial, _):
            if command.byteCount > 0 && truth.state == .partial && command.byteCount <= bytes.count
                && command.completeArguments > 0
            {
                return "needs \(command.byteCount) bytes, which are there"
            }
        case (_, .complete) where !truth.isExtreme: return "\(outcome) for what redis accepts"
        default: break
        }
        if outcome == .complete {
            // A shorter piece is never taken for the whole.
            for _ in 0..<8 {
                let cut = random.below(command.byteCount)
                if cut > 0, scan(Array(bytes[..<cut]), slack: 0x0A).0 != .partial { return "complete at \(cut) bytes" }
            }
        }
        return compareHead(bytes, outcome, command, &random) ?? compareProgress(bytes, outcome, command, &random)
    }

    /// Which command it is does not matter to a scan.
    private static let anyInfo = CommandInfo(name: "get", arity: 2, flags: "r", keys: [.firstArgument])

    /// A remembered head finds what the scanner finds, or nothing.
    private static func compareHead(
        _ bytes: [UInt8], _ outcome: CommandScan, _ command: ScannedCommand, _ random: inout SeededRandom
    ) -> String? {
        guard outcome == .complete, command.argumentCount > 0 else { return nil }
        var head = CommandHead()
        withUnsafePointer(to: anyInfo) { entry in withSlack(bytes) { start, _ in head.remember(start, command, entry) }
        }
        for input in [bytes, mutated(bytes, &random), Array(bytes.prefix(random.below(bytes.count)))] {
            for slack: UInt8 in [0x30, 13] {
                var found = ScannedCommand()
                if !withSlack(input, slack: slack, { head.scan($0, $1, &found) }) { continue }
                let (second, whole) = scan(input, slack: slack)
                let isSame =
                    second == .complete && found.byteCount == whole.byteCount
                    && found.argumentCount == whole.argumentCount && found.keyCount == whole.keyCount
                    && (whole.argumentCount < 2 || found.keyOffset == whole.keyOffset)
                if !isSame { return "the remembered head finds another command in \(shown(input))" }
            }
        }
        return nil
    }

    private static func compareArguments(
        _ bytes: [UInt8], _ command: ScannedCommand, _ truth: ReferenceRequest
    ) -> String? {
        withSlack(bytes) { start, _ in
            let arguments = ArgumentCursor.all(start, command).map(\.bytes)
            return arguments == truth.arguments ? nil : "the cursor gives other arguments"
        }
    }

    /// The same in pieces of any size.
    private static func compareProgress(
        _ bytes: [UInt8], _ outcome: CommandScan, _ command: ScannedCommand, _ random: inout SeededRandom
    ) -> String? {
        if outcome == .invalidArgumentCount || command.argumentCount == 0 { return nil }
        let head = withSlack(bytes) { CommandProgress.headBytes($0, $1) }
        if head > bytes.count { return outcome == .partial ? nil : "head of \(head) bytes" }
        var progress = CommandProgress(argumentCount: command.argumentCount)
        var taken = head
        var end = head
        while true {
            let step = withSlack(Array(bytes[taken..<end])) { progress.advance($0, $1) }
            if step.taken < 0 || step.taken > end - taken { return "took \(step.taken) of \(end - taken)" }
            taken += step.taken
            switch step.outcome {
            case .complete:
                return outcome == .complete && taken == command.byteCount ? nil : "progress complete at \(taken)"
            case .expectedBulk: return outcome == .expectedBulk ? nil : "progress: expected $, scan: \(outcome)"
            case .invalidBulkLength:
                return outcome == .invalidBulkLength ? nil : "progress: bad length, scan: \(outcome)"
            case .needsMore:
                if end == bytes.count { return outcome == .partial ? nil : "progress wants more, scan: \(outcome)" }
                end = min(bytes.count, end + 1 + random.below(40))
            }
        }
    }
}

/// Redis' rules for a multi-bulk request, written for clarity.
/// - Source: `processMultibulkBuffer` of redis-server 7.0.
struct ReferenceRequest {
    enum State { case complete, partial, invalid }
    var state = State.partial
    var byteCount = 0
    var arguments: [[UInt8]] = []
    /// Redis takes it and the proxy needn't: more than a million arguments, or a count below -99999999999.
    var isExtreme = false

    init(_ bytes: [UInt8]) {
        var at = 1
        guard let count = line(bytes, &at) else { return }
        guard let count else {
            state = .invalid
            return
        }
        if count > Int(Int32.max) {
            state = .invalid
            return
        }
        isExtreme = count > 1 << 20 || count < -99_999_999_999
        for _ in 0..<max(0, count) {
            if at >= bytes.count { return }
            if bytes[at] != UInt8(ascii: "$") {
                state = .invalid
                return
            }
            at += 1
            guard let length = line(bytes, &at) else { return }
            guard let length, length >= 0, length <= 512 << 20 else {
                state = .invalid
                return
            }
            if bytes.count - at < length + 2 { return }
            arguments.append(Array(bytes[at..<at + length]))
            at += length + 2
        }
        byteCount = at
        state = .complete
    }

    /// - Returns: Nil for half a line, an inner nil for what is no number.
    private func line(_ bytes: [UInt8], _ at: inout Int) -> Int?? {
        guard let end = bytes[min(at, bytes.count)...].firstIndex(of: 13), end + 1 < bytes.count else { return nil }
        let digits = bytes[at..<end]
        at = end + 2
        let text = String(decoding: digits, as: UTF8.self)
        guard let number = Int(text), String(number) == text else { return .some(nil) }
        return .some(number)
    }
}
