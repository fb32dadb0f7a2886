/// Where some keys of a command stand among its arguments, as Redis describes it since 7.0.
///
/// The search begins at a fixed place or behind a word; from there the keys are a range, or are counted by an argument.
/// - Source: "Key specifications" of the Redis documentation; `getKeysUsingKeySpecs` for what happens out of bounds.
package struct KeySpecification: Sendable, Equatable {
    package enum Begin: Sendable, Equatable {
        case index(Int)
        /// Behind this word, upper case, looked for from that argument on; from the end backwards if negative.
        case keyword([UInt8], from: Int)
        case unknown
    }

    package enum Find: Sendable, Equatable {
        /// Up to `last` behind the first one, or from the end of the arguments if negative; of those, the first
        /// `1/limit` when that is above 1.
        case range(last: Int, step: Int, limit: Int)
        /// As many as the argument at `countOffset` says, the first one at `first`, both from where the search began.
        case counted(countOffset: Int, first: Int, step: Int)
        case unknown
    }

    package var begin: Begin
    package var find: Find
    /// It doesn't find all keys that it should.
    package var isIncomplete = false

    package init(begin: Begin, find: Find, isIncomplete: Bool = false) {
        self.begin = begin
        self.find = find
        self.isIncomplete = isIncomplete
    }

    /// The arguments alone tell the keys.
    package var isCertain: Bool { begin != .unknown && find != .unknown && !isIncomplete }

    /// The one key of most commands.
    package static let firstArgument = KeySpecification(begin: .index(1), find: .range(last: 0, step: 1, limit: 0))

    package enum Outcome {
        case none
        case keys(StrideThrough<Int>)
        /// The arguments contradict themselves, or don't tell.
        case invalid
    }

    /// - Returns: Positions among the arguments, all of them there.
    package func keys(_ arguments: [ByteSpan]) -> Outcome {
        guard let start = start(arguments) else { return begin == .unknown ? .invalid : .none }
        let count = arguments.count
        let first: Int
        let last: Int
        let step: Int
        switch find {
        case .range(let end, let distance, let limit):
            first = start
            step = distance
            if end >= 0 {
                last = start + end
            } else {
                last = limit > 1 ? start + (count - start) / limit + end : count + end
            }
        case .counted(let offset, let position, let distance):
            guard start + offset < count, let number = arguments[start + offset].integer,
                number >= 0, number <= count
            else { return .invalid }
            if number == 0 { return .none }
            first = start + position
            step = distance
            last = first + (number - 1) * distance
        case .unknown: return .invalid
        }
        guard step > 0, first > 0, first < count, last < count, last >= first else { return .invalid }
        return .keys(stride(from: first, through: last, by: step))
    }

    /// Where the search begins; nil when the word is not there.
    private func start(_ arguments: [ByteSpan]) -> Int? {
        switch begin {
        case .unknown: return nil
        case .index(let index): return index
        case .keyword(let word, let from):
            let count = arguments.count
            if from > 0 {
                var index = from
                while index < count - 1 {
                    if arguments[index].isSameWord(word) { return index + 1 }
                    index += 1
                }
            } else {
                var index = count + from
                while index > 1 {
                    if index < count, arguments[index].isSameWord(word) { return index + 1 }
                    index -= 1
                }
            }
            return nil
        }
    }
}

extension KeySpecification {
    /// The short form in ``commandFacts``: `1`, `1..-1/2`, `STREAMS@4..-1%2`, `2#`, `?`.
    init(_ text: Substring) {
        var rest = text
        func take(_ mark: Character, default missing: Int) -> Int {
            guard let at = rest.lastIndex(of: mark) else { return missing }
            guard let number = Int(rest[rest.index(after: at)...]) else { preconditionFailure("malformed: \(text)") }
            rest = rest[..<at]
            return number
        }
        isIncomplete = rest.last == "?"
        if isIncomplete { rest.removeLast() }
        let isCounted = rest.last == "#"
        if isCounted { rest.removeLast() }
        let limit = take("%", default: 0)
        let step = take("/", default: 1)
        var last = 0
        if let dot = rest.firstIndex(of: ".") {
            guard let number = Int(rest[dot...].dropFirst(2)) else { preconditionFailure("malformed: \(text)") }
            last = number
            rest = rest[..<dot]
        }
        if let at = rest.firstIndex(of: "@") {
            guard let from = Int(rest[at...].dropFirst()) else { preconditionFailure("malformed: \(text)") }
            begin = .keyword(Array(rest[..<at].utf8), from: from)
        } else if let index = Int(rest) {
            begin = .index(index)
        } else {
            begin = .unknown
            isIncomplete = false
        }
        find =
            begin == .unknown
            ? .unknown
            : isCounted ? .counted(countOffset: 0, first: 1, step: 1) : .range(last: last, step: step, limit: limit)
    }

    /// Places beyond this are nonsense; sums of what is below can't overflow.
    private static let limit = 1 << 20

    /// First key, last key and step, as servers before 7.0 have them; nil for no keys.
    init?(first: Int, last: Int, step: Int) {
        guard (1...Self.limit).contains(first), (-Self.limit...Self.limit).contains(last),
            (1...Self.limit).contains(step)
        else { return nil }
        begin = .index(first)
        find = .range(last: last < 0 ? last : last - first, step: step, limit: 0)
    }

    /// One element of the key specifications in a shard's reply to `COMMAND INFO`: a map, flat in RESP2.
    init?(reply: ReplyValue) {
        guard let search = reply["begin_search"], let finder = reply["find_keys"] else { return nil }
        let isIncomplete = reply["flags"]?.elements.contains { $0.text == "incomplete" } ?? false
        self.init(begin: Self.begin(search), find: Self.find(finder), isIncomplete: isIncomplete)
    }

    private static func begin(_ reply: ReplyValue) -> Begin {
        guard let details = reply["spec"] else { return .unknown }
        switch reply["type"]?.text {
        case "index":
            guard let index = details["index"]?.number, (1...Self.limit).contains(index) else { return .unknown }
            return .index(index)
        case "keyword":
            guard let word = details["keyword"]?.text, let from = details["startfrom"]?.number,
                from != 0, (-Self.limit...Self.limit).contains(from)
            else { return .unknown }
            return .keyword(Array(word.uppercased().utf8), from: from)
        default: return .unknown
        }
    }

    private static func find(_ reply: ReplyValue) -> Find {
        guard let details = reply["spec"] else { return .unknown }
        switch reply["type"]?.text {
        case "range":
            guard let last = details["lastkey"]?.number, let step = details["keystep"]?.number,
                let limit = details["limit"]?.number, (-Self.limit...Self.limit).contains(last),
                (1...Self.limit).contains(step), (0...Self.limit).contains(limit)
            else { return .unknown }
            return .range(last: last, step: step, limit: limit)
        case "keynum":
            guard let offset = details["keynumidx"]?.number, let first = details["firstkey"]?.number,
                let step = details["keystep"]?.number, (0...Self.limit).contains(offset),
                (0...Self.limit).contains(first), (1...Self.limit).contains(step)
            else { return .unknown }
            return .counted(countOffset: offset, first: first, step: step)
        default: return .unknown
        }
    }
}
