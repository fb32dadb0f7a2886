import Foundation

/// Which seeds a run of the tests tries: 40, or what `TARN_SEEDS=FIRST-LAST` says.
enum Seeds {
    static let wanted: Range<UInt64> = {
        let words = (ProcessInfo.processInfo.environment["TARN_SEEDS"] ?? "").split(separator: "-")
        guard words.count == 2, let first = UInt64(words[0]), let last = UInt64(words[1]), first <= last else {
            return 1000..<1040
        }
        return first..<(last + 1)
    }()
}
