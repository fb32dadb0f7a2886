/// Length of the whole reply that starts at `bytes[0]`, or 0 when it is not all there, or -1 when it can't be a reply.
///
/// RESP2 and RESP3. A bound on what is kept is the caller's; here a length is only refused where the sums could
/// overflow, so that a shard gone mad costs its connection and nothing else.
@inlinable @inline(__always)
package func replyLength(_ bytes: Bytes, _ count: Int) -> Int {
    // Most replies of all are these two; the slack may be read, and makes no reply whole.
    let word = UnsafeRawPointer(bytes).loadUnaligned(as: UInt64.self)
    if word & 0xFF_FFFF_FFFF == 0x0A_0D4B_4F2B { return count >= 5 ? 5 : 0 }  // +OK
    if bytes[0] == Ascii.dollar && bytes[3] == Ascii.carriageReturn {  // A value of two digits' length.
        let tens = bytes[1] &- Ascii.zero
        let ones = bytes[2] &- Ascii.zero
        if tens <= 9 && ones <= 9 {
            let length = Int(tens) &* 10 &+ Int(ones) &+ 7
            return length <= count ? length : 0
        }
    }
    var pending = 1
    var index = 0
    while pending > 0 {
        if index >= count { return 0 }
        let type = bytes[index]
        index &+= 1
        pending &-= 1
        if type == Ascii.dollar || ReplyProgress.hasLength(type) {
            var length = 0
            let scan = scanReplyLength(bytes, count, &index, &length)
            if scan != .complete { return scan == .partial ? 0 : -1 }
            if length >= 0 {
                if ReplyProgress.isBulk(type) {
                    index &+= length &+ 2
                } else {
                    pending &+= ReplyProgress.children(type, length)
                    if pending > maximumReplyLength { return -1 }
                }
            }
            if index > count { return 0 }
        } else {
            while true {
                if index >= count { return 0 }
                if bytes[index] == Ascii.lineFeed { break }
                index &+= 1
            }
            index &+= 1
        }
    }
    return index
}

/// Bytes of a bulk, elements of an aggregate: more than any server has, and far from where sums of it overflow.
@usableFromInline let maximumReplyLength = 1 << 40

/// A length and its CRLF. What is no digit makes it negative, which stands for null; servers send `-1` only.
@inlinable @inline(__always)
func scanReplyLength(_ bytes: Bytes, _ count: Int, _ index: inout Int, _ value: inout Int) -> LengthScan {
    var at = index
    var isNegative = false
    var length = 0
    while true {
        if at >= count { return .partial }
        let digit = bytes[at] &- Ascii.zero
        if digit > 9 {
            if bytes[at] == Ascii.carriageReturn { break }
            isNegative = true
        } else {
            length = length &* 10 &+ Int(digit)
            if length > maximumReplyLength { return .invalid }
        }
        at &+= 1
    }
    if at &+ 2 > count { return .partial }
    index = at &+ 2
    value = isNegative ? -1 : length
    return .complete
}

/// How far a long reply has come, so that it can be passed on while it arrives.
@usableFromInline package struct ReplyProgress {
    package enum Outcome { case needsMore, complete, malformed }

    /// Values that have still to start.
    private var pending = 1
    /// Bytes of the current bulk still to come, CRLF included.
    private var bulkLeft = 0
    /// Inside a line (simple string, error, number) whose end has not come.
    private var isInLine = false

    package init() {}

    /// Takes whatever belongs to the reply and is not half a length header. After ``Outcome/malformed`` the state is of
    /// no use.
    package mutating func advance(_ bytes: Bytes, _ count: Int) -> (taken: Int, outcome: Outcome) {
        var index = 0
        while true {
            if bulkLeft > 0 {
                let step = min(bulkLeft, count - index)
                bulkLeft -= step
                index += step
                if bulkLeft > 0 { return (index, .needsMore) }
            }
            if isInLine {
                while index < count && bytes[index] != Ascii.lineFeed { index += 1 }
                if index >= count { return (index, .needsMore) }
                index += 1
                isInLine = false
            }
            if pending == 0 { return (index, .complete) }
            if index >= count { return (index, .needsMore) }
            let type = bytes[index]
            guard Self.hasLength(type) else {
                pending -= 1
                index += 1
                isInLine = true
                continue
            }
            var at = index + 1
            var length = 0
            switch scanReplyLength(bytes, count, &at, &length) {
            case .partial: return (index, .needsMore)
            case .invalid: return (index, .malformed)
            case .complete: break
            }
            pending -= 1
            index = at
            if length >= 0 {
                if Self.isBulk(type) {
                    bulkLeft = length + 2
                } else {
                    pending += Self.children(type, length)
                    if pending > maximumReplyLength { return (index, .malformed) }
                }
            }
        }
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
