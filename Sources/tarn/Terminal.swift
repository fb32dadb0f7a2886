import Glibc

/// The person in front of the program, if there is one.
enum Terminal {
    static var hasErrorScreen: Bool { isatty(2) == 1 }

    /// Asks without showing what is typed; nil when standard input is no terminal.
    static func askSecret(_ question: String) -> String? {
        guard isatty(0) == 1 else { return nil }
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        writeError(question)
        tcsetattr(0, TCSAFLUSH, &silent)
        let answer = readLine()
        tcsetattr(0, TCSAFLUSH, &settings)
        writeError("\n")
        return answer.flatMap { $0.isEmpty ? nil : $0 }
    }

    static func writeError(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(2, bytes, bytes.count)
    }
}

/// One line on a terminal's standard error that changes while something goes on; nothing where there is no terminal.
final class ProgressLine {
    private var isShown = false

    func show(_ text: String) {
        guard Terminal.hasErrorScreen else { return }
        Terminal.writeError("\r\u{1B}[K\(text)")
        isShown = true
    }

    func clear() {
        if isShown { Terminal.writeError("\r\u{1B}[K") }
        isShown = false
    }

    deinit { clear() }
}
