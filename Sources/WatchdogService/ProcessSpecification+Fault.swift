package import WatchdogProtocol

extension ProcessSpecification {
    package static let signals: ClosedRange<Int32> = 1...64

    /// Why this cannot be started, with the accepted range; nil when nothing is wrong.
    package var fault: String? {
        if name.isEmpty || name.utf8.count > 64 || !name.utf8.allSatisfy(Self.isNameCharacter) {
            return "name `\(name.prefix(80))`: 1 ... 64 characters of a-z, 0-9 and - are accepted"
        }
        if name == "watchdog" { return "name `watchdog` is the watchdog's own; its log would be shared" }
        if !executable.utf8.starts(with: "/".utf8) { return "\(name): executable `\(executable)` is no absolute path" }
        if !workingDirectory.utf8.starts(with: "/".utf8) {
            return "\(name): working directory `\(workingDirectory)` is no absolute path"
        }
        let texts = [executable, workingDirectory] + arguments + environment.values + environment.keys
        if texts.contains(where: { $0.utf8.contains(0) }) { return "\(name): a NUL byte in a path or an argument" }
        if environment.keys.contains(where: { $0.isEmpty || $0.utf8.contains(UInt8(ascii: "=")) }) {
            return "\(name): a variable's name is empty or contains `=`"
        }
        if !Self.signals.contains(stopSignal) { return "\(name): stop signal \(stopSignal) is not one of 1 ... 64" }
        if !(-1000...1000).contains(outOfMemoryScore) {
            return "\(name): out-of-memory score \(outOfMemoryScore) is not in -1000 ... 1000"
        }
        return nil
    }

    private static func isNameCharacter(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
