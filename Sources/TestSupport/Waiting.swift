/// A check that did not hold. Thrown by helpers outside of test targets, where Swift Testing's macros aren't.
package struct Violation: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Asks until there is an answer; throws with the last thing seen when there is none in time.
package func eventually<Value>(
    within limit: Duration = .seconds(15), _ what: String, lastSeen: () -> String = { "nothing" },
    _ look: () async throws -> Value?
) async throws -> Value {
    let clock = ContinuousClock()
    let end = clock.now + limit
    var lastError = ""
    while clock.now < end {
        do {
            if let value = try await look() { return value }
        } catch {
            lastError = "; last error: \(error)"
        }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw Violation("waited \(limit) for \(what); last seen: \(lastSeen())\(lastError)")
}

package func expect(_ holds: Bool, _ message: @autoclosure () -> String) throws {
    guard holds else { throw Violation(message()) }
}
