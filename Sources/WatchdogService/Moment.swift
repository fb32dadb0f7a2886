/// A moment of the boot-time clock (it counts suspends and never jumps), in milliseconds.
package struct Moment: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func < (left: Moment, right: Moment) -> Bool { left.milliseconds < right.milliseconds }

    package func adding(milliseconds more: Int64) -> Moment { Moment(milliseconds: milliseconds + more) }
}
