import FoundationEssentials

/// The real data that a new cluster is given: two data sets that Debian ships.
struct SampleData {
    enum Value {
        case string(String)
        case hash([String: String])
        case set(Set<String>)
    }

    private(set) var entries: [(key: String, value: Value)] = []

    static let wordCount = 100_000

    /// Reads both from their Debian packages.
    static func load() throws -> SampleData {
        var data = SampleData()
        try data.addLanguages()
        try data.addCountries()
        try data.addWords()
        return data
    }

    var counts: (strings: Int, hashes: Int, sets: Int) {
        var counts = (strings: 0, hashes: 0, sets: 0)
        for entry in entries {
            switch entry.value {
            case .string: counts.strings += 1
            case .hash: counts.hashes += 1
            case .set: counts.sets += 1
            }
        }
        return counts
    }

    private mutating func addLanguages() throws {
        var byType: [String: Set<String>] = [:]
        for language in try records("iso_639-3") {
            guard let code = language["alpha_3"] else { continue }
            entries.append(("language:\(code)", .hash(language)))
            byType[language["type"] ?? "none", default: []].insert(code)
        }
        addSets("languages:type:", byType)
    }

    private mutating func addCountries() throws {
        var codes: Set<String> = []
        for country in try records("iso_3166-1") {
            guard let code = country["alpha_2"] else { continue }
            entries.append(("country:\(code)", .hash(country)))
            codes.insert(code)
        }
        entries.append(("countries", .set(codes)))
        var byCountry: [String: Set<String>] = [:]
        for subdivision in try records("iso_3166-2") {
            guard let code = subdivision["code"] else { continue }
            entries.append(("subdivision:\(code)", .hash(subdivision)))
            byCountry[String(code.prefix { $0 != "-" }), default: []].insert(code)
        }
        addSets("subdivisions:", byCountry)
    }

    /// `word:<word>` holds its line number, `words:<letter>` all that begin so.
    private mutating func addWords() throws {
        let path = "/usr/share/dict/american-english"
        guard let text = Files.text(path) else { throw missing(path, "wamerican") }
        var byLetter: [String: Set<String>] = [:]
        for (number, word) in text.split(separator: "\n").prefix(Self.wordCount).enumerated() {
            entries.append(("word:\(word)", .string(String(number + 1))))
            byLetter[word.prefix(1).lowercased(), default: []].insert(String(word))
        }
        addSets("words:", byLetter)
    }

    private mutating func addSets(_ prefix: String, _ groups: [String: Set<String>]) {
        for (name, members) in groups.sorted(by: { $0.key < $1.key }) { entries.append((prefix + name, .set(members))) }
    }

    private func records(_ name: String) throws -> [[String: String]] {
        let path = "/usr/share/iso-codes/json/\(name).json"
        guard let bytes = Files.read(path) else { throw missing(path, "iso-codes") }
        let lists = try JSONDecoder().decode([String: [[String: String]]].self, from: Data(bytes))
        return lists.values.flatMap { $0 }
    }

    private func missing(_ path: String, _ package: String) -> Failure {
        Failure(.environment, "\(path) is not there; it comes with the Debian package \(package)")
    }
}
