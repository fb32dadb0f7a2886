package import RESP

/// The unanswered requests of a session. Not a `Range`: the numbers wrap.
package struct SequenceWindow {
    package var first: UInt32
    package var next: UInt32
    package init(first: UInt32, next: UInt32) {
        self.first = first
        self.next = next
    }
}

/// Replies of one session that came before their turn.
///
/// A slot first borrows the bytes in the read arena; ``settle(from:)`` copies what still waits when the arena is
/// about to be reused. Most replies find their turn within the same loop turn and are never copied.
package struct ReplyRing {
    package enum State: UInt8 { case empty, borrowed, owned, growing }

    package struct Slot {
        package var bytes: Bytes?
        package var count = 0
        package var capacity = 0
        package var state = State.empty
    }

    package private(set) var slots: UnsafeMutablePointer<Slot>?
    private var capacity: UInt32 = 0
    package private(set) var used: UInt32 = 0
    /// What the copies take.
    package private(set) var keptBytes = 0

    package init() {}

    package func slot(_ sequence: UInt32) -> UnsafeMutablePointer<Slot>? {
        slots.map { $0 + Int(sequence & (capacity &- 1)) }
    }

    /// Remembers where a whole reply lies.
    package mutating func borrow(
        _ sequence: UInt32, window: SequenceWindow, _ bytes: Bytes, _ count: Int, _ pool: BlockPool
    ) {
        fresh(sequence, window, pool).pointee = Slot(bytes: bytes, count: count, capacity: 0, state: .borrowed)
    }

    /// Keeps a copy of a whole reply.
    package mutating func keep(
        _ sequence: UInt32, window: SequenceWindow, _ bytes: Bytes, _ count: Int, _ pool: BlockPool
    ) {
        let slot = fresh(sequence, window, pool)
        slot.pointee = copy(bytes, count, pool)
    }

    private mutating func copy(_ bytes: Bytes, _ count: Int, _ pool: BlockPool) -> Slot {
        let (copy, capacity) = pool.take(count)
        copy.update(from: bytes, count: count)
        keptBytes &+= capacity
        return Slot(bytes: copy, count: count, capacity: capacity, state: .owned)
    }

    /// Adds a piece of a reply that is still arriving. `expected` bytes are reserved at first.
    package mutating func extend(
        _ sequence: UInt32, window: SequenceWindow, _ bytes: Bytes, _ count: Int, isLast: Bool, _ pool: BlockPool
    ) {
        reserve(window, pool)
        let slot = slots! + Int(sequence & (capacity &- 1))
        if slot.pointee.state == .empty {
            used &+= 1
            slot.pointee = Slot(bytes: nil, count: 0, capacity: 0, state: .growing)
        }
        let needed = slot.pointee.count + count
        if needed > slot.pointee.capacity {
            let (larger, capacity) = pool.take(max(needed, slot.pointee.capacity * 2, 64 << 10))
            keptBytes &+= capacity &- slot.pointee.capacity
            if let old = slot.pointee.bytes {
                larger.update(from: old, count: slot.pointee.count)
                pool.give(old, capacity: slot.pointee.capacity)
            }
            slot.pointee.bytes = larger
            slot.pointee.capacity = capacity
        }
        (slot.pointee.bytes! + slot.pointee.count).update(from: bytes, count: count)
        slot.pointee.count = needed
        if isLast { slot.pointee.state = .owned }
    }

    /// The reply has left.
    package mutating func clear(_ slot: UnsafeMutablePointer<Slot>, _ pool: BlockPool) {
        if slot.pointee.state == .owned, let bytes = slot.pointee.bytes {
            keptBytes &-= slot.pointee.capacity
            pool.give(bytes, capacity: slot.pointee.capacity)
        }
        slot.pointee = Slot()
        used &-= 1
    }

    /// Copies what only borrows the arena.
    package mutating func settle(from first: UInt32, _ pool: BlockPool) {
        var sequence = first
        var left = used
        while left > 0 {
            let slot = slots! + Int(sequence & (capacity &- 1))
            if slot.pointee.state != .empty { left &-= 1 }
            if slot.pointee.state == .borrowed {
                slot.pointee = copy(slot.pointee.bytes!, slot.pointee.count, pool)
            }
            sequence &+= 1
        }
    }

    /// Gives all memory back: an idle session has none.
    package mutating func release(_ pool: BlockPool) {
        guard let slots else { return }
        if used > 0 {
            for index in 0..<Int(capacity) where slots[index].state != .borrowed {
                if let bytes = slots[index].bytes { pool.give(bytes, capacity: slots[index].capacity) }
            }
        }
        Self.give(slots, capacity, pool)
        self = ReplyRing()
    }

    private static func give(_ slots: UnsafeMutablePointer<Slot>, _ capacity: UInt32, _ pool: BlockPool) {
        let bytes = Int(capacity) * MemoryLayout<Slot>.stride
        pool.give(UnsafeMutableRawPointer(slots).assumingMemoryBound(to: UInt8.self), capacity: bytes)
    }

    private mutating func fresh(
        _ sequence: UInt32, _ window: SequenceWindow, _ pool: BlockPool
    ) -> UnsafeMutablePointer<Slot> {
        reserve(window, pool)
        used &+= 1
        return slots! + Int(sequence & (capacity &- 1))
    }

    private mutating func reserve(_ window: SequenceWindow, _ pool: BlockPool) {
        let span = window.next &- window.first
        if span <= capacity { return }
        var larger = max(16, capacity)
        while larger < span { larger *= 2 }
        let block = UnsafeMutableRawPointer(pool.take(Int(larger) * MemoryLayout<Slot>.stride).base)
        let fresh = block.bindMemory(to: Slot.self, capacity: Int(larger))
        fresh.initialize(repeating: Slot(), count: Int(larger))
        if let old = slots {
            for step in 0..<capacity {
                let sequence = window.first &+ step
                fresh[Int(sequence & (larger - 1))] = old[Int(sequence & (capacity - 1))]
            }
            Self.give(old, capacity, pool)
        }
        slots = fresh
        capacity = larger
    }
}
