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
    package mutating func borrow(_ sequence: UInt32, window: SequenceWindow, _ bytes: Bytes, _ count: Int) {
        let slot = fresh(sequence, window)
        slot.pointee = Slot(bytes: bytes, count: count, capacity: 0, state: .borrowed)
    }

    /// Keeps a copy of a whole reply.
    package mutating func keep(_ sequence: UInt32, window: SequenceWindow, _ bytes: Bytes, _ count: Int) {
        let slot = fresh(sequence, window)
        let copy = Bytes.allocate(capacity: count)
        copy.update(from: bytes, count: count)
        keptBytes += count
        slot.pointee = Slot(bytes: copy, count: count, capacity: count, state: .owned)
    }

    /// Adds a piece of a reply that is still arriving. `expected` bytes are reserved at first.
    package mutating func extend(
        _ sequence: UInt32, window: SequenceWindow, _ bytes: Bytes, _ count: Int, isLast: Bool
    ) {
        reserve(window)
        let slot = slots! + Int(sequence & (capacity &- 1))
        if slot.pointee.state == .empty {
            used &+= 1
            slot.pointee = Slot(bytes: nil, count: 0, capacity: 0, state: .growing)
        }
        let needed = slot.pointee.count + count
        if needed > slot.pointee.capacity {
            let capacity = max(needed, slot.pointee.capacity * 2, 64 << 10)
            let larger = Bytes.allocate(capacity: capacity)
            keptBytes += capacity - slot.pointee.capacity
            if let old = slot.pointee.bytes {
                larger.update(from: old, count: slot.pointee.count)
                old.deallocate()
            }
            slot.pointee.bytes = larger
            slot.pointee.capacity = capacity
        }
        (slot.pointee.bytes! + slot.pointee.count).update(from: bytes, count: count)
        slot.pointee.count = needed
        if isLast { slot.pointee.state = .owned }
    }

    /// The reply has left.
    package mutating func clear(_ slot: UnsafeMutablePointer<Slot>) {
        if slot.pointee.state == .owned {
            keptBytes &-= slot.pointee.capacity
            slot.pointee.bytes?.deallocate()
        }
        slot.pointee = Slot()
        used &-= 1
    }

    /// Copies what only borrows the arena.
    package mutating func settle(from first: UInt32) {
        var sequence = first
        var left = used
        while left > 0 {
            let slot = slots! + Int(sequence & (capacity &- 1))
            if slot.pointee.state != .empty { left &-= 1 }
            if slot.pointee.state == .borrowed {
                let copy = Bytes.allocate(capacity: slot.pointee.count)
                copy.update(from: slot.pointee.bytes!, count: slot.pointee.count)
                keptBytes += slot.pointee.count
                slot.pointee = Slot(
                    bytes: copy, count: slot.pointee.count, capacity: slot.pointee.count, state: .owned)
            }
            sequence &+= 1
        }
    }

    package mutating func deallocate() {
        guard let slots else { return }
        for index in 0..<Int(capacity) where slots[index].state != .borrowed { slots[index].bytes?.deallocate() }
        slots.deallocate()
        self = ReplyRing()
    }

    private mutating func fresh(_ sequence: UInt32, _ window: SequenceWindow) -> UnsafeMutablePointer<Slot> {
        reserve(window)
        used &+= 1
        return slots! + Int(sequence & (capacity &- 1))
    }

    private mutating func reserve(_ window: SequenceWindow) {
        let span = window.next &- window.first
        if span <= capacity { return }
        var larger = max(16, capacity)
        while larger < span { larger *= 2 }
        let fresh = UnsafeMutablePointer<Slot>.allocate(capacity: Int(larger))
        fresh.initialize(repeating: Slot(), count: Int(larger))
        if let old = slots {
            for step in 0..<capacity {
                let sequence = window.first &+ step
                fresh[Int(sequence & (larger - 1))] = old[Int(sequence & (capacity - 1))]
            }
            old.deallocate()
        }
        slots = fresh
        capacity = larger
    }
}
