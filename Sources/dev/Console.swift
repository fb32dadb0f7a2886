import Glibc

/// What people see: progress with times on stderr, results on stdout.
enum Console {
    private static let start = ContinuousClock.now
    private static let isTerminal = isatty(STDERR_FILENO) == 1
    nonisolated(unsafe) private static var isProgressShown = false
    nonisolated(unsafe) private static var lastProgress = ContinuousClock.now

    /// Starts the clock; without it the first step would be its beginning.
    static func begin() { _ = start }

    static func out(_ text: String) {
        clearProgress()
        write(text + "\n", to: STDOUT_FILENO)
    }

    static func error(_ text: String) {
        clearProgress()
        write(text + "\n", to: STDERR_FILENO)
    }

    /// One line with the seconds since dev started in front.
    static func step(_ text: String) {
        clearProgress()
        write("[\(seconds(ContinuousClock.now - start))] \(text)\n", to: STDERR_FILENO)
    }

    /// Replaces itself on a terminal; elsewhere (CI logs) a line at most every 15 s shows that something moves.
    static func progress(_ text: String) {
        let now = ContinuousClock.now
        if isTerminal {
            let line = "[\(seconds(now - start))]   \(text)".prefix(110)
            write("\r\u{1B}[K\(line)", to: STDERR_FILENO)
            isProgressShown = true
        } else if now - lastProgress > .seconds(15) {
            lastProgress = now
            write("[\(seconds(now - start))]   \(text)\n", to: STDERR_FILENO)
        }
    }

    static func clearProgress() {
        guard isProgressShown else { return }
        isProgressShown = false
        write("\r\u{1B}[K", to: STDERR_FILENO)
    }

    /// Asks on the terminal; without one the answer is no.
    static func confirms(_ question: String) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return false }
        write("\(question) [Y/n] ", to: STDERR_FILENO)
        guard let answer = readLine() else { return false }
        return ["", "y", "yes"].contains(answer.lowercased())
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return }
            bytes = bytes.dropFirst(max(0, count))
        }
    }

    private static func seconds(_ duration: Duration) -> String { pad(duration.tenths, 6) + " s" }

    static func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }

    /// Seconds with one decimal: `12.3`.
    var tenths: String { "\(milliseconds / 1000).\(milliseconds / 100 % 10)" }

    /// Always above zero, so that a rate can be made of it.
    var inSeconds: Double { max(0.000_001, Double(milliseconds) / 1000) }
}
