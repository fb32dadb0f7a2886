package import RESP

/// A request that was given to an upstream and has no reply yet.
@usableFromInline package struct Pending {
    @usableFromInline package enum Kind: UInt8 {
        /// The reply goes to a session as it is.
        case session
        /// The reply is one part of a ``Gather``.
        case part
        /// The reply to the proxy's own AUTH, HELLO or SELECT.
        case login
        /// The reply to a request of the proxy's own that concerns this shard and no other: never moved.
        case errand
        /// What the shard calls the connection.
        case identity
        /// The answer to a question of another loop: a retained ``Relay``.
        case relay
        /// A reply nobody waits for: QUEUED within a block sent as a whole.
        case discard
        /// Which process the shard is: the answer to INFO.
        case process
        /// How many replicas have what the shard did before (``Upstream/Role/witness``).
        case witness
    }

    /// A session or a retained gather; nil for the other kinds.
    @usableFromInline package var target: UnsafeMutableRawPointer?
    @usableFromInline package var sequence: UInt32
    /// Length of the request as sent: tells after a loss which requests had left.
    @usableFromInline package var byteCount: UInt32
    /// Which part of the gather; for a session, how often the request was repeated.
    @usableFromInline package var part: UInt16
    @usableFromInline package var kind: Kind
    /// A ``CommandEffect``, as a number for the request path.
    @usableFromInline package var effectCode: UInt8

    @inlinable @inline(__always)
    package init(
        target: UnsafeMutableRawPointer?, sequence: UInt32, byteCount: Int, part: UInt16 = 0, kind: Kind,
        effectCode: UInt8
    ) {
        self.target = target
        self.sequence = sequence
        self.byteCount = UInt32(truncatingIfNeeded: byteCount)
        self.part = part
        self.kind = kind
        self.effectCode = effectCode
    }

    /// - Parameter isWrite: Whether it may change data, as far as is known.
    @inlinable @inline(__always)
    package init(
        target: UnsafeMutableRawPointer?, sequence: UInt32, byteCount: Int, part: UInt16 = 0, kind: Kind,
        isWrite: Bool
    ) {
        self.init(
            target: target, sequence: sequence, byteCount: byteCount, part: part, kind: kind,
            effectCode: isWrite ? 2 : 0)
    }

    package var effect: CommandEffect { CommandEffect(rawValue: effectCode).unsafelyUnwrapped }
    /// May not be repeated when its outcome is unknown.
    @inlinable @inline(__always) package var isWrite: Bool { effectCode != 0 }
    /// Of ``CommandEffect/data``.
    @inlinable @inline(__always) package var changesData: Bool { effectCode == 2 }
    /// A bit that no other effect has.
    package static let dataEffectCode: UInt8 = 2
}

/// First in, first out: replies come in the order of the requests.
@usableFromInline package struct PendingQueue {
    @usableFromInline var items: UnsafeMutablePointer<Pending>?
    @usableFromInline var mask = -1
    @usableFromInline var head = 0
    @usableFromInline var tail = 0

    package init() {}

    @inlinable @inline(__always) package var count: Int { tail &- head }
    @inlinable @inline(__always) package var isEmpty: Bool { tail == head }

    /// Requests are numbered as they come: the number of the first one that is here, and the one behind the last.
    package var firstNumber: Int { head }
    package var endNumber: Int { tail }

    @inlinable @inline(__always)
    package mutating func append(_ pending: Pending) {
        if count > mask { grow() }
        items.unsafelyUnwrapped[tail & mask] = pending
        tail &+= 1
    }

    /// The proxy's own login, which overtakes everything that waits.
    package mutating func prepend(_ pending: Pending) {
        if count > mask { grow() }
        head &-= 1
        items.unsafelyUnwrapped[head & mask] = pending
    }

    /// - Precondition: Not empty.
    @inlinable @inline(__always)
    package mutating func removeFirst() -> Pending {
        let pending = items.unsafelyUnwrapped[head & mask]
        head &+= 1
        return pending
    }

    /// Whether the next reply is that to a request of this session with this number.
    @inlinable @inline(__always)
    package func isNext(_ target: UnsafeMutableRawPointer, _ sequence: UInt32) -> Bool {
        if isEmpty { return false }
        let first = items.unsafelyUnwrapped + (head & mask)
        return first.pointee.target == target && first.pointee.sequence == sequence && first.pointee.kind == .session
    }

    @inlinable package subscript(index: Int) -> Pending { items.unsafelyUnwrapped[(head &+ index) & mask] }

    @inline(never) @usableFromInline
    mutating func grow() {
        let capacity = max(64, (mask + 1) * 2)
        let larger = UnsafeMutablePointer<Pending>.allocate(capacity: capacity)
        for index in head..<tail { larger[index & (capacity - 1)] = items!.advanced(by: index & mask).pointee }
        items?.deallocate()
        items = larger
        mask = capacity - 1
    }

    package mutating func deallocate() {
        items?.deallocate()
        self = PendingQueue()
    }
}

extension PendingQueue {
    package mutating func removeLast(_ count: Int) { tail &-= count }
}
