/// True time since the beginning of a run, in microseconds. Nobody inside the cluster sees it: they have ``NodeClock``.
package struct Moment: Hashable, Comparable, Sendable {
    package var microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static let start = Moment(microseconds: 0)
    package static func < (left: Moment, right: Moment) -> Bool { left.microseconds < right.microseconds }
    package static func + (time: Moment, span: Span) -> Moment {
        Moment(microseconds: time.microseconds + span.microseconds)
    }
    package static func - (left: Moment, right: Moment) -> Span {
        Span(microseconds: left.microseconds - right.microseconds)
    }
}

/// A length of true time. `Duration` counts attoseconds in two words, which a queue of events feels.
package struct Span: Hashable, Comparable, Sendable {
    package var microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static let zero = Span(microseconds: 0)
    package static func milliseconds(_ count: Int64) -> Span { Span(microseconds: count * 1000) }
    package static func seconds(_ count: Int64) -> Span { Span(microseconds: count * 1_000_000) }
    package static func < (left: Span, right: Span) -> Bool { left.microseconds < right.microseconds }
    package static func + (left: Span, right: Span) -> Span {
        Span(microseconds: left.microseconds + right.microseconds)
    }
}

extension Moment: CustomStringConvertible {
    /// Seconds with milliseconds, right-aligned: `  12.345`.
    package var description: String {
        let milliseconds = microseconds / 1000
        let fraction = String(milliseconds % 1000)
        let seconds = String(milliseconds / 1000)
        return String(repeating: " ", count: max(0, 4 - seconds.utf8.count)) + seconds + "."
            + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
    }
}
