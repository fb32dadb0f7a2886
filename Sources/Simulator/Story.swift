/// What happened, line by line: time, place, event. Only a run that is to be told keeps it, so lines cost nothing else.
package final class Story {
    let isKept: Bool
    package private(set) var lines: [String] = []

    init(isKept: Bool) {
        self.isKept = isKept
    }

    func add(_ time: Moment, _ place: String, _ text: @autoclosure () -> String) {
        guard isKept else { return }
        let padding = String(repeating: " ", count: max(1, 14 - place.utf8.count))
        lines.append("\(time)  \(place)\(padding)\(text())")
    }
}
