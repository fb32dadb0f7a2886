import ProxyCore
import Testing

@Suite struct ReplyRingTests {
    /// Borrowed bytes survive the reuse of what they were borrowed from, also where the numbers wrap.
    @Test func settledRepliesKeepTheirBytes() {
        var ring = ReplyRing()
        let arena = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
        defer { arena.deallocate() }
        let first = UInt32.max &- 20
        let window = SequenceWindow(first: first, next: first &+ 60)
        for step in 1..<60 as Range<UInt32> {
            arena[Int(step)] = UInt8(step)
            ring.borrow(first &+ step, window: window, arena + Int(step), 1)
        }
        ring.settle(from: first)
        arena.update(repeating: 0, count: 64)
        #expect(ring.used == 59)
        #expect(ring.slot(first)?.pointee.state == .empty)
        for step in 1..<60 as Range<UInt32> {
            let slot = ring.slot(first &+ step)!
            #expect(slot.pointee.bytes?.pointee == UInt8(step))
            ring.clear(slot)
        }
        #expect(ring.used == 0)
        ring.deallocate()
    }

    @Test func piecesGrowIntoOneReply() {
        var ring = ReplyRing()
        let window = SequenceWindow(first: 0, next: 3)
        var piece: [UInt8] = Array(repeating: 7, count: 100_000)
        piece.withUnsafeMutableBufferPointer { buffer in
            for turn in 0..<3 { ring.extend(2, window: window, buffer.baseAddress!, buffer.count, isLast: turn == 2) }
        }
        #expect(ring.slot(2)?.pointee.count == 300_000)
        #expect(ring.slot(2)?.pointee.state == .owned)
        ring.deallocate()
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
}
