/// Targets, floors and dependencies, read out of the text of `Package.swift`.
///
/// `swift package describe` would know them too, but not the floors, which are comments, and takes seconds.
struct ManifestReading {
    struct Target {
        var name: String
        var floor: Int
        /// Names of targets; products of packages are left out.
        var dependencies: [String]
        /// Place in the manifest.
        var order: Int
    }

    private(set) var targets: [String: Target] = [:]

    private static let openings = ["library(\"", "program(\"", "target(name: \"", "systemLibrary(name: \""]

    init(_ text: String) {
        guard let start = text.firstRange(of: "    targets: [") else { return }
        var floor = 0
        var found: [(name: String, floor: Int, body: String)] = []
        for line in text[start.upperBound...].split(separator: "\n") {
            let trimmed = line.drop { $0 == " " }
            if trimmed.hasPrefix("// Floor "), let number = Int(trimmed.dropFirst(9).prefix { $0.isNumber }) {
                floor = number
            } else if trimmed.hasPrefix("tests(") {
                break
            } else if let name = Self.openedTarget(trimmed) {
                found.append((name, floor, String(trimmed)))
            } else if !found.isEmpty, !trimmed.hasPrefix("//") {
                found[found.count - 1].body += trimmed
            }
        }
        let names = Set(found.map(\.name))
        for (order, entry) in found.enumerated() {
            let quoted = entry.body.split(separator: "\"", omittingEmptySubsequences: false)
                .enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
            targets[entry.name] = Target(
                name: entry.name, floor: entry.floor,
                dependencies: quoted.filter { names.contains($0) && $0 != entry.name }, order: order)
        }
    }

    private static func openedTarget(_ line: Substring) -> String? {
        for opening in openings {
            guard let range = line.firstRange(of: opening), line[..<range.lowerBound].allSatisfy({ $0 == "." }) else {
                continue
            }
            return String(line[range.upperBound...].prefix { $0 != "\"" })
        }
        return nil
    }

    /// All that a target links, itself included.
    func closure(of name: String) -> Set<String> {
        var reached: Set<String> = []
        var waiting = [name]
        while let next = waiting.popLast() {
            guard reached.insert(next).inserted else { continue }
            waiting += targets[next]?.dependencies ?? []
        }
        return reached
    }
}
