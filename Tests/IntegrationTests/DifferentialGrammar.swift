import Primitives

/// A command made from a pattern, and all that a comparison has to know of it.
struct RandomCommand {
    var words: [[UInt8]]
    /// Its keys; of a command that a mutation touched, perhaps not all of them.
    var keys: [[UInt8]] = []
    var comparison = ReplyComparison.exact
    /// The proxy takes it although its keys have several slots.
    var isSplit = false

    var text: String { words.map(printable).joined(separator: " ") }
}

/// Bytes as a person can read and type them.
func printable(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes.prefix(200) {
        if byte >= 33 && byte < 127 {
            text.unicodeScalars.append(UnicodeScalar(byte))
        } else {
            text += byte == 32 ? "_" : "\\x" + String(byte, radix: 16)
        }
    }
    return text
}

/// What a command may look like, as words of a small language:
/// ```
///   WORD        itself               $s $h $l $t $z $x $g $p   a key of that type (usually)
///   $k          any key              $f $v $i $n $d $id …      a field, value, integer, small count, double, stream ID
///   ( a | b )   one of these         [ a | b ]                 one of these, or nothing
///   { a }       once to four times   #z                        a count and as many keys
/// ```
/// In front may stand how replies are compared (``ReplyComparison/mark(_:)``), and `+` for a command that is split.
struct CommandPattern: Sendable {
    private indirect enum Part: Sendable {
        case word([UInt8])
        case any(String)
        case counted(String)
        case oneOf([[Part]], isOptional: Bool)
        case several([Part])
    }

    private let parts: [Part]
    let comparison: ReplyComparison
    let isSplit: Bool

    init(_ text: String) {
        var tokens = text.split(separator: " ").map(String.init)[...]
        var comparison = ReplyComparison.exact
        var isSplit = false
        while let first = tokens.first, first.count == 1 {
            if first == "+" {
                isSplit = true
            } else if let mark = ReplyComparison.mark(first) {
                comparison = mark
            } else {
                break
            }
            tokens.removeFirst()
        }
        self.comparison = comparison
        self.isSplit = isSplit
        parts = Self.parse(&tokens)
        precondition(tokens.isEmpty, "unbalanced pattern: \(text)")
    }

    private static func parse(_ tokens: inout ArraySlice<String>) -> [Part] {
        var parts: [Part] = []
        while let token = tokens.first, token != ")", token != "]", token != "}", token != "|" {
            tokens.removeFirst()
            switch token {
            case "(", "[":
                var choices = [parse(&tokens)]
                while tokens.popFirst() == "|" { choices.append(parse(&tokens)) }
                parts.append(.oneOf(choices, isOptional: token == "["))
            case "{":
                parts.append(.several(parse(&tokens)))
                tokens.removeFirst()
            default:
                if token.hasPrefix("$") && token.count > 1 {
                    parts.append(.any(String(token.dropFirst())))
                } else if token.hasPrefix("#") && token.count > 1 {
                    parts.append(.counted(String(token.dropFirst())))
                } else {
                    parts.append(.word(Array(token.utf8)))
                }
            }
        }
        return parts
    }

    func make(_ source: inout ValueSource) -> RandomCommand {
        var command = RandomCommand(words: [], comparison: comparison, isSplit: isSplit)
        source.beginCommand()
        fill(&command, parts, &source)
        return command
    }

    private func fill(_ command: inout RandomCommand, _ parts: [Part], _ source: inout ValueSource) {
        for part in parts {
            switch part {
            case .word(let word): command.words.append(word)
            case .any(let name): add(&command, name, &source)
            case .counted(let name):
                let count = 1 + source.below(3)
                command.words.append(Array(String(count).utf8))
                for _ in 0..<count { add(&command, name, &source) }
            case .oneOf(let choices, let isOptional):
                if isOptional && source.below(2) == 0 { continue }
                fill(&command, choices[source.below(choices.count)], &source)
            case .several(let body):
                for _ in 0...source.below(4) { fill(&command, body, &source) }
            }
        }
    }

    private func add(_ command: inout RandomCommand, _ name: String, _ source: inout ValueSource) {
        if let key = source.key(name) {
            command.words.append(key)
            command.keys.append(key)
        } else {
            command.words.append(source.value(name))
        }
    }
}

/// Makes keys and values out of a seed.
struct ValueSource {
    private var random: SeededRandom
    /// Hash tag of this command's keys; nil when each key stands alone.
    private var tag: String?
    static let types = ["s", "h", "l", "t", "z", "x", "g", "p"]

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func below(_ count: Int) -> Int { Int((random.next() >> 20) % UInt64(count)) }

    /// Most commands have all their keys under one tag, so that those of several keys can do something.
    mutating func beginCommand() { tag = below(4) == 0 ? nil : ["{t}", "{u}"][below(2)] }

    /// From here on every key has this tag: for what must stay within a slot.
    mutating func pin(_ tag: String) { self.tag = tag }

    mutating func key(_ name: String) -> [UInt8]? {
        guard Self.types.contains(name) || name == "k" else { return nil }
        // Now and then a key of another type, for the errors.
        let type = name == "k" || below(20) == 0 ? Self.types[below(Self.types.count)] : name
        return Array("\(tag ?? "")\(type)\(below(5))".utf8)
    }

    mutating func value(_ name: String) -> [UInt8] {
        if name == "v" { return text() }
        if name == "blob" { return (0..<below(40)).map { _ in UInt8(below(256)) } }
        return Array(words(name).utf8)
    }

    private mutating func words(_ name: String) -> String {
        switch name {
        case "f": return "f\(below(6))"
        case "i": return "\(below(200) - 100)"
        case "n": return "\(below(5))"
        case "bit": return "\(below(2))"
        case "off": return "\(below(70))"
        case "d": return ["1", "-2.5", "3.25", "1e3", "0", "inf", "-inf", "17.125"][below(8)]
        case "range": return ["-inf", "+inf", "1", "(2", "-1.5", "(17"][below(6)]
        case "lex": return ["-", "+", "[f1", "(f3", "[f5"][below(5)]
        case "id": return "\(below(9))-\(below(3))"
        case "newid": return ["\(below(12))-\(below(3))", "\(below(15))-*"][below(2)]
        case "index": return "\(below(8) - 4)"
        case "type": return ["u8", "i5", "u16", "i64", "u1"][below(5)]
        case "lon": return "\(below(20)).5"
        case "lat": return "\(below(20)).25"
        case "secs": return "\(1000 + below(1000))"
        case "ms": return "\(1_000_000 + below(1_000_000))"
        case "at": return "\(4_000_000_000 + below(1000))"
        case "atms": return "\(4_000_000_000_000 + below(1000))"
        case "group": return "g\(below(2))"
        case "pattern": return ["*", "f*", "?1", "*[0-2]", "nothing"][below(5)]
        default: preconditionFailure("no value is called $\(name)")
        }
    }

    private mutating func text() -> [UInt8] {
        switch below(12) {
        case 0: return []
        case 1: return (0..<below(20)).map { _ in UInt8(below(256)) }
        case 2: return [UInt8](repeating: 118, count: 3000)
        case 3...5: return Array("\(below(1000))".utf8)
        case 6: return Array("1.5".utf8)
        case 7: return Array("a b\r\n$3".utf8)
        default: return Array("value\(below(8))".utf8)
        }
    }

    /// What stands where it doesn't belong.
    mutating func junk() -> [UInt8] {
        let words = ["", "-1", "0", "abc", "99999999999999999999", "1.5", "nan", "{t}x", "STORE", "BLOCK", "COUNT"]
        let index = below(words.count + 1)
        return index == words.count ? [0, 255, 13, 10, 123] : Array(words[index].utf8)
    }
}
