/// One finding about a machine before Tarn is installed on it.
package struct PreflightCheck: Hashable, Sendable, Codable {
    package enum Outcome: String, Hashable, Sendable, Codable {
        case pass = "PASS"
        /// Tarn works, but less well or less safely than it could.
        case warn = "WARN"
        /// Tarn would not work.
        case fail = "FAIL"
    }

    /// Stable, for scripts: `memory`, `port_9443`.
    package var name: String
    package var outcome: Outcome
    /// What was found.
    package var found: String
    /// What to do about it; nil when it is well.
    package var fix: String?

    package init(_ name: String, _ outcome: Outcome, _ found: String, fix: String? = nil) {
        self.name = name
        self.outcome = outcome
        self.found = found
        self.fix = fix
    }
}
