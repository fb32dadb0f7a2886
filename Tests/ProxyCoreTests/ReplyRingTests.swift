import ProxyCore
import Testing

@Suite struct ReplyRingTests {
    /// Borrowed bytes survive the reuse of what they were borrowed from, also where the numbers wrap.
    @Test func settledRepliesKeepTheirBytes() {
        var ring = ReplyRing()
        let pool = BlockPool()
        let arena = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
        defer { arena.deallocate() }
        let first = UInt32.max &- 20
        let window = SequenceWindow(first: first, next: first &+ 60)
        for step in 1..<60 as Range<UInt32> {
            arena[Int(step)] = UInt8(step)
            ring.borrow(first &+ step, window: window, arena + Int(step), 1, pool)
        }
        ring.settle(from: first, pool)
        arena.update(repeating: 0, count: 64)
        #expect(ring.used == 59)
        #expect(ring.slot(first)?.pointee.state == .empty)
        for step in 1..<60 as Range<UInt32> {
            let slot = ring.slot(first &+ step)!
            #expect(slot.pointee.bytes?.pointee == UInt8(step))
            ring.clear(slot, pool)
        }
        #expect(ring.used == 0)
        ring.release(pool)
        #expect(ring.slots == nil)
    }

    @Test func piecesGrowIntoOneReply() {
        var ring = ReplyRing()
        let pool = BlockPool()
        let window = SequenceWindow(first: 0, next: 3)
        var piece: [UInt8] = Array(repeating: 7, count: 100_000)
        piece.withUnsafeMutableBufferPointer { buffer in
            for turn in 0..<3 {
                ring.extend(2, window: window, buffer.baseAddress!, buffer.count, isLast: turn == 2, pool)
            }
        }
        #expect(ring.slot(2)?.pointee.count == 300_000)
        #expect(ring.slot(2)?.pointee.state == .owned)
        ring.release(pool)
        #expect(ring.slots == nil)
    }

    @Test func pendingsKeepTheirOrderThroughGrowth() {
        var queue = PendingQueue()
        for number in 0..<500 as Range<UInt32> {
            queue.append(Pending(target: nil, sequence: number, byteCount: 1, kind: .discard, isWrite: false))
            if number % 3 == 0 { #expect(queue.removeFirst().sequence == number / 3) }
        }
        queue.prepend(Pending(target: nil, sequence: 9999, byteCount: 1, kind: .login, isWrite: false))
        #expect(queue.removeFirst().sequence == 9999)
        #expect(queue.removeFirst().sequence == 167)
        queue.deallocate()
    }

    @Test func blocksAreTakenAgain() {
        let pool = BlockPool()
        for count in [1, 64, 65, 16 << 10, (16 << 10) + 1, 1 << 20] {
            let one = pool.take(count)
            #expect(one.capacity >= count)
            let other = pool.take(count)
            #expect(one.base != other.base)
            pool.give(one.base, capacity: one.capacity)
            pool.give(other.base, capacity: other.capacity)
            #expect(pool.take(count).base == other.base)
            #expect(pool.take(count).base == one.base)
        }
    }

    @Test func blocksBeyondTheLargestSizeGoToTheAllocator() {
        let pool = BlockPool()
        let large = pool.take((1 << 20) + 1)
        #expect(large.capacity == (1 << 20) + 1)
        pool.give(large.base, capacity: large.capacity)
    }
}
