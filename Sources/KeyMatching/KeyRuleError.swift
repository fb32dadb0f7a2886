package import ClusterModel

/// Why rules can't be had, in words for whoever wrote them.
package struct KeyRuleError: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }

    /// - Parameter position: Counted from 1.
    init(rule position: Int, _ pattern: String, _ reason: String) {
        let shown = pattern.unicodeScalars.count <= 80 ? pattern : String(pattern.unicodeScalars.prefix(80)) + "…"
        description = "rule \(position) (\(shown)) \(reason)"
    }
}

extension KeyRules {
    /// Compiles them to see whether they can be had.
    package func check() throws(KeyRuleError) { _ = try KeyRuleSet(self, isForUse: false) }
}
