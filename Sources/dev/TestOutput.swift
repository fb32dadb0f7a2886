/// Reads what `swift test` prints, line by line: Swift Testing's and XCTest's.
///
/// Counting single tests, and not only believing the closing line, is what tells of a crash: the tests that were
/// running then have started and never ended.
struct TestOutput {
    private(set) var passed = 0
    private(set) var failed: [String] = []
    private(set) var skipped: [String] = []
    /// What failing tests had to say, in the order in which it came.
    private(set) var issues: [String] = []
    private var running: Set<String> = []
    private var hasClosingLine = false
    private var xctest = (executed: 0, failures: 0, skipped: 0)

    mutating func add(_ line: String) {
        if let cut = line.firstRange(of: "Executed "), line.contains(" test") {
            readXCTest(line[cut.upperBound...])
        } else if let rest = Self.after(["✔ ", "✘ ", "◇ ", "➜ "], line) {
            readSwiftTesting(rest, line)
        } else if line.contains(": error: ") {
            issues.append(line)
        }
    }

    /// The end of the process: a status other than 0 that no test explains counts as a failure of its own.
    mutating func finish(status: Int32) {
        // XCTest prints the sums of every suite; the last one is the sum of all.
        passed += xctest.executed - xctest.failures - xctest.skipped
        failed += (0..<xctest.failures).map { "XCTest failure \($0 + 1)" }
        skipped += (0..<xctest.skipped).map { "XCTest skip \($0 + 1)" }
        guard status != 0, failed.isEmpty || !running.isEmpty else { return }
        let suspects = running.isEmpty ? "" : "; running then: \(running.sorted().joined(separator: ", "))"
        let kind = hasClosingLine ? "ended with exit code \(status)" : "crashed or was ended, exit code \(status)"
        failed.append("the test process \(kind)\(suspects)")
    }

    private mutating func readSwiftTesting(_ rest: Substring, _ line: String) {
        if rest.hasPrefix("Test run with ") {
            hasClosingLine = true
        } else if rest == "Test run started." {
            return
        } else if let test = Self.after(["Test "], rest) {
            readTest(test, line)
        }
    }

    private mutating func readTest(_ text: Substring, _ line: String) {
        // Cases of a test with arguments are told of at their start only.
        if text.hasPrefix("case passing ") { return }
        if let name = Self.before(" started.", text) {
            running.insert(name)
        } else if let name = Self.before(" passed after ", text) {
            running.remove(Self.plain(name))
            passed += 1
        } else if let name = Self.before(" failed after ", text) {
            running.remove(Self.plain(name))
            failed.append(Self.plain(name))
        } else if text.contains(" skipped") {
            let parts = Self.split(text, at: " skipped")
            running.remove(parts.head)
            skipped.append("\(parts.head)\(parts.tail)")
        } else if text.contains(" recorded an issue ") {
            issues.append(line)
        }
    }

    private mutating func readXCTest(_ text: Substring) {
        let words = text.split { $0 == " " || $0 == "," }
        func number(before word: String) -> Int {
            guard let index = words.firstIndex(where: { $0.hasPrefix(word) }), index > 0 else { return 0 }
            return Int(words[index - 1]) ?? 0
        }
        guard let executed = words.first.flatMap({ Int($0) }) else { return }
        let skips = text.contains("skipped") ? words.firstIndex(of: "skipped").flatMap { Int(words[$0 - 2]) } ?? 0 : 0
        xctest = (executed, number(before: "failure"), skips)
    }

    /// `check(_:) with 3 test cases` → `check(_:)`, the name with which it started.
    private static func plain(_ name: String) -> String {
        split(name[...], at: " with ").head
    }

    private static func after(_ prefixes: [String], _ text: some StringProtocol) -> Substring? {
        for prefix in prefixes where text.hasPrefix(prefix) { return Substring(text.dropFirst(prefix.count)) }
        return nil
    }

    private static func before(_ part: String, _ text: Substring) -> String? {
        text.contains(part) ? split(text, at: part).head : nil
    }

    /// `tail` is what follows the first `part`; empty when it is not there.
    private static func split(_ text: Substring, at part: String) -> (head: String, tail: String) {
        guard let range = text.firstRange(of: part) else { return (String(text), "") }
        return (String(text[..<range.lowerBound]), String(text[range.upperBound...]))
    }
}
