/// A moment of the clock that runs since the machine was started, suspended spans included (`CLOCK_BOOTTIME`), in
/// milliseconds. It never jumps, so limits that keep two nodes apart are counted by it; two machines' can't be
/// compared.
package struct BootTime: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Later than anything that will ever happen.
    package static let never = BootTime(milliseconds: .max)

    package static func < (left: BootTime, right: BootTime) -> Bool { left.milliseconds < right.milliseconds }

    package static func + (time: BootTime, milliseconds: Int64) -> BootTime {
        BootTime(milliseconds: time.milliseconds + milliseconds)
    }

    /// Milliseconds from the right one to the left one.
    package static func - (left: BootTime, right: BootTime) -> Int64 { left.milliseconds - right.milliseconds }
}

extension BootTime: CustomStringConvertible {
    package var description: String { "\(milliseconds) ms" }
}
