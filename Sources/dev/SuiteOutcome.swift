/// What one file of Redis' own test suite came to, read from what it printed.
struct SuiteOutcome: Equatable {
    /// Names of the tests that passed; some names come several times.
    var passed: [String] = []
    /// What failed, with what was expected: tests, and errors between tests.
    var failures: [Failed] = []

    struct Failed: Equatable {
        var name: String
        var reason: String
    }

    /// Lines look like `[ok]: name (3 ms)` and `[err]: name in tests/unit/file.tcl`, with the reason in the next line;
    /// `[exception]` ends a file.
    init(printed text: String) {
        let lines = text.split(separator: "\n").map { Self.plain(String($0)) }
        for (index, line) in lines.enumerated() {
            if let test = Self.body(line, of: "ok") {
                passed.append(Self.withoutDuration(test))
            } else if let failure = Self.body(line, of: "err") ?? Self.body(line, of: "exception") {
                let reason = index + 1 < lines.count ? lines[index + 1] : ""
                failures.append(Failed(name: failure, reason: reason.hasPrefix("[") ? "" : reason))
            }
        }
    }

    private static func body(_ line: String, of kind: String) -> String? {
        line.hasPrefix("[\(kind)]: ") ? String(line.dropFirst(kind.count + 4)) : nil
    }

    /// `name (3 ms)`: the time is no part of a test's name.
    private static func withoutDuration(_ text: String) -> String {
        guard text.hasSuffix(" ms)"), let open = text.lastIndex(of: "(") else { return text }
        return String(text[..<open].dropLast())
    }

    /// Without the colours.
    private static func plain(_ line: String) -> String {
        var kept = ""
        var isCode = false
        for character in line {
            if character == "\u{1B}" {
                isCode = true
            } else if isCode {
                isCode = character != "m"
            } else {
                kept.append(character)
            }
        }
        return kept
    }
}

/// One file against a plain server and against an endpoint.
struct SuiteComparison {
    let file: String
    let plain: SuiteOutcome
    let endpoint: SuiteOutcome

    /// Tests that the plain server passes.
    var total: Int { plain.passed.count }

    /// Of those, the ones that the endpoint passes too.
    var shared: Int { total - missed.count }

    /// Of those, the others, in the suite's order.
    var missed: [String] {
        var left = endpoint.passed.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        return plain.passed.filter { name in
            guard let count = left[name], count > 0 else { return true }
            left[name] = count - 1
            return false
        }
    }

    /// `97.3 %`; nothing to pass is all of it.
    static func share(_ part: Int, of total: Int) -> String {
        guard total > 0 else { return "-" }
        let hundredths = part * 10_000 / total
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) %"
    }
}
