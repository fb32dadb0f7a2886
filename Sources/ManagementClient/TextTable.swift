/// Lines up cells under headings, as wide as the widest cell of each column, two spaces between columns.
package struct TextTable: Sendable {
    package var headings: [String]
    package private(set) var rows: [[String]] = []

    package init(_ headings: String...) {
        self.headings = headings
    }

    /// One cell a heading; a missing value is shown as `-`.
    package mutating func add(_ cells: String?...) {
        precondition(cells.count == headings.count, "a row of \(cells.count) cells under \(headings.count) headings")
        rows.append(cells.map { ($0?.isEmpty ?? true) ? "-" : $0! })
    }

    package var text: String {
        let lines = [headings] + rows
        let widths = headings.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let padded = line.enumerated().map { column, cell in
                cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            // Nothing after the last cell: a line must not wrap because of blanks that nobody sees.
            return String(padded.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}
