/// Counters of several shards' INFO made one.
///
/// Commands, errors and databases come as lists of lines with fields: `cmdstat_get:calls=1,usec=2,usec_per_call=2.00`.
/// Fields are summed, except that a mean follows from its sums and a percentile is that of the worst shard: those of a
/// whole can't be had from those of its parts.
struct InfoTotals {
    private var sums: [String: Double] = [:]
    private var fields: [String: [(name: String, value: Double)]] = [:]

    mutating func add(_ name: String, _ text: Substring) {
        if let number = Self.number(text) { sums[name, default: 0] += number }
    }

    mutating func raise(_ name: String, _ text: Substring) {
        if let number = Self.number(text) { sums[name] = max(sums[name] ?? number, number) }
    }

    /// What can be summed over a thousand shards and is a whole number still.
    private static func number(_ text: Substring) -> Double? {
        Double(text).flatMap { $0.isFinite && $0.magnitude < 1e15 ? $0 : nil }
    }

    func value(_ name: String) -> String? {
        sums[name].map { name.hasPrefix("used_cpu_") ? Self.decimal($0, places: 6) : String(Int($0)) }
    }

    // MARK: Lists

    private static let headings = [
        ("# Keyspace", "db"), ("# Commandstats", "cmdstat_"), ("# Errorstats", "errorstat_"),
        ("# Latencystats", "latency_percentiles_usec_"),
    ]

    static func isListed(_ name: String) -> Bool {
        headings.dropFirst().contains { name.hasPrefix($0.1) } || isDatabase(name)
    }

    private static func isDatabase(_ name: String) -> Bool { name.hasPrefix("db") && Int(name.dropFirst(2)) != nil }

    mutating func addFields(_ name: String, _ text: Substring) {
        guard Self.isListed(name) else { return }
        var merged = fields[name] ?? []
        let added = text.split(separator: ",").compactMap { field -> (name: String, value: Double)? in
            let parts = field.split(separator: "=")
            return parts.count == 2 ? Self.number(parts[1]).map { (String(parts[0]), $0) } : nil
        }
        // The mean of times to live counts by the keys that have one.
        let weight = added.first { $0.name == "expires" }?.value ?? 0
        for field in added {
            let value = field.name == "avg_ttl" ? field.value * weight : field.value
            guard let index = merged.firstIndex(where: { $0.name == field.name }) else {
                merged.append((field.name, value))
                continue
            }
            merged[index].value =
                Self.isPercentile(name) ? max(merged[index].value, value) : merged[index].value + value
        }
        fields[name] = merged
    }

    func lines(of heading: Substring) -> [String] {
        guard let prefix = Self.headings.first(where: { heading == $0.0 })?.1 else { return [] }
        let names = fields.keys.filter { $0.hasPrefix(prefix) && (prefix != "db" || Self.isDatabase($0)) }
        // `db9` before `db10`.
        return names.sorted { prefix == "db" ? ($0.utf8.count, $0) < ($1.utf8.count, $1) : $0 < $1 }.map(line)
    }

    private func line(_ name: String) -> String {
        let fields = fields[name] ?? []
        func value(_ wanted: String) -> Double { fields.first { $0.name == wanted }?.value ?? 0 }
        let shown = fields.map { field in
            switch field.name {
            case "avg_ttl": "avg_ttl=\(value("expires") > 0 ? Int(field.value / value("expires")) : 0)"
            case "usec_per_call":
                "usec_per_call=" + Self.decimal(value("calls") > 0 ? value("usec") / value("calls") : 0, places: 2)
            case _ where Self.isPercentile(name): "\(field.name)=" + Self.decimal(field.value, places: 3)
            default: "\(field.name)=\(Int(field.value))"
            }
        }
        return "\(name):" + shown.joined(separator: ",")
    }

    private static func isPercentile(_ name: String) -> Bool { name.hasPrefix("latency_") }

    /// With exactly so many places, as C prints it.
    private static func decimal(_ value: Double, places: Int) -> String {
        let scale = (0..<places).reduce(1) { power, _ in power * 10 }
        let whole = Int((value * Double(scale)).rounded())
        let rest = String(whole % scale)
        return "\(whole / scale)." + String(repeating: "0", count: places - rest.utf8.count) + rest
    }
}
