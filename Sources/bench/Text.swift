import Glibc

/// A number with so many decimals; Foundation's formatting is not at hand here.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return "-" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int((abs(value) * scale).rounded())
    let whole = "\(value < 0 && scaled > 0 ? "-" : "")\(scaled / Int(scale))"
    guard decimals > 0 else { return whole }
    let digits = String(scaled % Int(scale))
    return whole + "." + String(repeating: "0", count: decimals - digits.count) + digits
}

/// Three digits that mean something: 0.58, 13.9, 122, 461k.
func short(_ value: Double) -> String {
    switch abs(value) {
    case ..<10: fixed(value, 2)
    case ..<100: fixed(value, 1)
    case ..<10_000: fixed(value, 0)
    case ..<10_000_000: fixed(value / 1000, 0) + "k"
    default: fixed(value / 1_000_000, 1) + "M"
    }
}

/// Columns that line up: the first to the left, the others to the right.
struct Table {
    private var rows: [[String]] = []

    init(_ heading: [String]) { rows.append(heading) }

    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += column == 0 ? cell + space : "  " + space + cell
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}

/// Results go to standard output, what is going on to standard error.
enum Console {
    static func out(_ text: String) { write(text + "\n", to: 1) }
    static func step(_ text: String) { write("bench: \(text)\n", to: 2) }

    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            done += count
        }
    }
}

/// What stops the benchmark, in words for the person who started it.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
