/// How the reply of an endpoint has to agree with the one of a single server.
enum ReplyComparison: Sendable {
    case exact
    /// The same elements in any order, at every level.
    case unordered
    /// The same pairs in any order: maps that RESP2 sends as flat arrays.
    case pairs
    /// The same structure and types; the contents are random or a matter of time.
    case shape
    /// Numbers that time moves: both zero or negative and the same, or both positive and near.
    case near
    /// An array whose elements agree each in its way: the reply to EXEC.
    case each([ReplyComparison])

    static func mark(_ text: String) -> ReplyComparison? {
        switch text {
        case "~": .unordered
        case "%": .pairs
        case "?": .shape
        case "=": .near
        default: nil
        }
    }

    func agrees(_ expected: [UInt8], _ got: [UInt8]) -> Bool {
        if expected == got { return true }
        // An error is the same to the last letter, whatever else may differ.
        return agrees(ReplyTree(expected), ReplyTree(got))
    }

    private func agrees(_ left: ReplyTree, _ right: ReplyTree) -> Bool {
        if left == right { return true }
        if left.isError || right.isError { return false }
        switch self {
        case .exact: return false
        case .unordered: return left.sorted == right.sorted
        case .pairs: return left.pairs == right.pairs
        case .shape: return left.shape == right.shape
        case .near:
            guard let first = left.number, let second = right.number else { return false }
            return first > 0 && second > 0 && abs(first - second) < 20_000
        case .each(let comparisons):
            guard left.line == right.line, left.children.count == comparisons.count else { return false }
            return zip(comparisons, zip(left.children, right.children)).allSatisfy { $0.agrees($1.0, $1.1) }
        }
    }
}

/// A reply taken apart. The input is one whole reply.
struct ReplyTree: Equatable {
    var line: [UInt8]
    var children: [ReplyTree] = []

    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        self.init(&rest)
    }

    private init(line: [UInt8], children: [ReplyTree]) {
        self.line = line
        self.children = children
    }

    private init(_ rest: inout ArraySlice<UInt8>) {
        let end = rest.firstIndex(of: 10)! + 1
        let head = Array(rest[rest.startIndex..<end])
        rest = rest[end...]
        let count = Int(String(decoding: head.dropFirst().dropLast(2), as: UTF8.self)) ?? 0
        line = head
        switch head.first {
        case UInt8(ascii: "$"), UInt8(ascii: "="):
            guard count >= 0 else { return }
            line += rest.prefix(count + 2)
            rest = rest.dropFirst(count + 2)
        case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"):
            for _ in 0..<max(0, count) { children.append(ReplyTree(&rest)) }
        case UInt8(ascii: "%"):
            for _ in 0..<count * 2 { children.append(ReplyTree(&rest)) }
        default: break
        }
    }

    /// A total order of the bytes, for sorting.
    private var flat: [UInt8] { line + children.flatMap(\.flat) }

    var sorted: ReplyTree {
        let inside = children.map(\.sorted)
        return ReplyTree(line: line, children: inside.sorted { $0.flat.lexicographicallyPrecedes($1.flat) })
    }

    var pairs: [[UInt8]] {
        guard children.count % 2 == 0 else { return [[0]] }
        let joined = stride(from: 0, to: children.count, by: 2).map { children[$0].flat + children[$0 + 1].flat }
        return [line] + joined.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Types and counts, without contents; a null is a type of its own.
    var shape: String {
        let isNull = line.starts(with: "$-1".utf8) || line.starts(with: "*-1".utf8)
        let type = String(UnicodeScalar(line[0]))
        return isNull ? "null" : type + "(" + children.map(\.shape).joined(separator: " ") + ")"
    }

    /// Of a bulk string.
    var content: [UInt8] { Array(line.drop { $0 != 10 }.dropFirst().dropLast(2)) }

    var isError: Bool { line.first == UInt8(ascii: "-") }

    var number: Int? {
        line.first == UInt8(ascii: ":") ? Int(String(decoding: line.dropFirst().dropLast(2), as: UTF8.self)) : nil
    }
}
