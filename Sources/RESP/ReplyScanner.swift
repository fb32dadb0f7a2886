/// Length of the whole reply that starts at `bytes[0]`, or 0 when it is not all there.
///
/// RESP2 and RESP3. The peer is a redis-server, so lengths are believed; a bound on what is kept is the caller's.
@inlinable @inline(__always)
package func replyLength(_ bytes: Bytes, _ count: Int) -> Int {
    var pending = 1
    var index = 0
    while pending > 0 {
        if index >= count { return 0 }
        let type = bytes[index]
        index &+= 1
        pending &-= 1
        if type == Ascii.dollar || ReplyProgress.hasLength(type) {
            var isNegative = false
            var length = 0
            while true {
                if index >= count { return 0 }
                let digit = bytes[index] &- Ascii.zero
                if digit > 9 {
                    if bytes[index] == Ascii.carriageReturn { break }
                    isNegative = true
                } else {
                    length = length &* 10 &+ Int(digit)
                }
                index &+= 1
            }
            index &+= 2
            if isNegative {
                if index > count { return 0 }
            } else if ReplyProgress.isBulk(type) {
                index &+= length &+ 2
            } else {
                pending &+= ReplyProgress.children(type, length)
            }
            if index > count { return 0 }
        } else {
            while true {
                if index >= count { return 0 }
                if bytes[index] == Ascii.carriageReturn { break }
                index &+= 1
            }
            index &+= 2
            if index > count { return 0 }
        }
    }
    return index
}

/// How far a long reply has come, so that it can be passed on while it arrives.
@usableFromInline package struct ReplyProgress {
    /// Values that have still to start.
    private var pending = 1
    /// Bytes of the current bulk still to come, CRLF included.
    private var bulkLeft = 0
    /// Inside a line (simple string, error, number) whose end has not come.
    private var isInLine = false

    package init() {}

    /// Takes whatever belongs to the reply and is not half a length header.
    package mutating func advance(_ bytes: Bytes, _ count: Int) -> (taken: Int, isComplete: Bool) {
        var index = 0
        while true {
            if bulkLeft > 0 {
                let step = min(bulkLeft, count - index)
                bulkLeft -= step
                index += step
                if bulkLeft > 0 { return (index, false) }
            }
            if isInLine {
                while index < count && bytes[index] != Ascii.lineFeed { index += 1 }
                if index >= count { return (index, false) }
                index += 1
                isInLine = false
            }
            if pending == 0 { return (index, true) }
            if index >= count { return (index, false) }
            let type = bytes[index]
            guard Self.hasLength(type) else {
                pending -= 1
                isInLine = true
                continue
            }
            guard let (length, end) = Self.header(bytes, count, index + 1) else { return (index, false) }
            pending -= 1
            index = end
            if length >= 0 {
                if Self.isBulk(type) { bulkLeft = length + 2 } else { pending += Self.children(type, length) }
            }
        }
    }

    private static func header(_ bytes: Bytes, _ count: Int, _ start: Int) -> (length: Int, end: Int)? {
        var index = start
        var length = 0
        var isNegative = false
        while index < count && bytes[index] != Ascii.carriageReturn {
            if bytes[index] == Ascii.minus {
                isNegative = true
            } else {
                length = length &* 10 &+ Int(bytes[index] &- Ascii.zero)
            }
            index += 1
        }
        guard index + 2 <= count else { return nil }
        return (isNegative ? -1 : length, index + 2)
    }

    /// `$ ! =` and `* ~ > % |`.
    @inlinable @inline(__always) package static func hasLength(_ type: UInt8) -> Bool {
        switch type {
        case 36, 33, 61, 42, 126, 62, 37, 124: true
        default: false
        }
    }

    /// `$ ! =`.
    @inlinable @inline(__always) package static func isBulk(_ type: UInt8) -> Bool {
        type == 36 || type == 33 || type == 61
    }

    /// Maps and attributes count pairs; an attribute comes before the value it belongs to.
    @inlinable @inline(__always) package static func children(_ type: UInt8, _ length: Int) -> Int {
        type == 37 ? length &* 2 : type == 124 ? length &* 2 &+ 1 : length
    }
}
