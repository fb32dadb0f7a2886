/// The command line: a verb, words after it, `--flag` and `--option value`.
struct Arguments {
    let verb: String
    let words: [String]
    private let options: [String: String]

    private static let flags: Set<String> = ["json", "yes", "quick", "help", "no-data", "list"]
    private static let valued: Set<String> = [
        "nodes", "only", "network", "directory", "minutes", "seed", "seeds", "target", "suite", "shards", "tags",
        "runs",
        "databases", "package",
    ]

    init(_ all: [String]) throws {
        var words: [String] = []
        var options: [String: String] = [:]
        var rest = all[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--"), word != "--help" || !words.isEmpty else {
                words.append(word)
                continue
            }
            let name = String(word.dropFirst(2).prefix { $0 != "=" })
            let attached = word.contains("=") ? String(word.drop { $0 != "=" }.dropFirst()) : nil
            if Self.flags.contains(name), attached == nil {
                options[name] = ""
            } else if Self.valued.contains(name), let value = attached ?? rest.popFirst() {
                options[name] = value
            } else {
                throw Failure(.usage, "\(word): unknown option, or its value is missing; see `swift run dev help`")
            }
        }
        verb = options["help"] != nil ? "help" : words.first ?? "help"
        self.words = Array(words.dropFirst())
        self.options = options
    }

    func has(_ flag: String) -> Bool { options[flag] != nil }
    func value(_ option: String) -> String? { options[option] }

    func number(_ option: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = options[option] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Failure(
                .usage, "--\(option) \(text): give a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
