import ProxyCore
import RESP
import Testing

@Suite struct WithheldRepliesTests {
    private final class Queue {
        var replies = WithheldReplies()
        var pool = BufferPool()
        deinit {
            while replies.takeFirst(&pool) != nil {}
            replies.freeTaken(&pool)
            replies.release(&pool)
        }

        func append(_ text: String, sequence: UInt32, now: Int) {
            var bytes = Array(text.utf8)
            let pending = Pending(target: nil, sequence: sequence, byteCount: 7, kind: .session, isWrite: true)
            bytes.withUnsafeMutableBufferPointer {
                replies.append(pending, $0.baseAddress!, $0.count, now: now, &pool)
            }
        }

        func take() -> (UInt32, String)? {
            replies.takeFirst(&pool).map { taken in
                let bytes = UnsafeBufferPointer(start: taken.bytes, count: taken.count)
                return (taken.pending.sequence, String(decoding: bytes, as: UTF8.self))
            }
        }
    }

    /// An answer confirms what had come before its question, and nothing else.
    @Test func answersCoverWhatCameBeforeTheQuestion() {
        let queue = Queue()
        queue.append("+OK\r\n", sequence: 1, now: 0)
        queue.append(":2\r\n", sequence: 2, now: 0)
        #expect(queue.replies.outcome(replicas: 1, mode: .replica, now: 1) == .waiting)
        queue.replies.mark()
        queue.append(":3\r\n", sequence: 3, now: 1)
        #expect(queue.replies.outcome(replicas: 0, mode: .replica, now: 900) == .waiting)
        #expect(queue.replies.outcome(replicas: 2, mode: .replica, now: 5000) == .confirmed(2))
        #expect(queue.take()! == (1, "+OK\r\n"))
        #expect(queue.take()! == (2, ":2\r\n"))
        #expect(queue.replies.outcome(replicas: 1, mode: .replica, now: 5000) == .waiting)
        queue.replies.mark()
        #expect(queue.replies.outcome(replicas: 1, mode: .replica, now: 5000) == .confirmed(1))
    }

    /// Each reply has its own time; a database that does without gives all of them.
    @Test func waitingEnds() {
        let queue = Queue()
        let start = Int(UInt32.max) - 500  // The clock's low bits wrap in between.
        for step in 0..<5 { queue.append("+OK\r\n", sequence: UInt32(step), now: start + step * 300) }
        queue.replies.mark()
        #expect(queue.replies.outcome(replicas: 0, mode: .replica, now: start + 999) == .waiting)
        #expect(queue.replies.outcome(replicas: 0, mode: .replica, now: start + 1000) == .expired(1))
        #expect(queue.replies.outcome(replicas: 0, mode: .replica, now: start + 1700) == .expired(3))
        #expect(queue.replies.outcome(replicas: 0, mode: .replica, now: start + 499, limit: 200) == .expired(1))
        #expect(queue.replies.outcome(replicas: 0, mode: .replica, now: start + 500, limit: 200) == .expired(2))
        #expect(queue.replies.outcome(replicas: 0, mode: .replicaDegrade, now: start + 999) == .waiting)
        #expect(queue.replies.outcome(replicas: 0, mode: .replicaDegrade, now: start + 1000) == .degraded(5))
        #expect(queue.take()?.0 == 0)
        // What has gone doesn't count as confirmed.
        #expect(queue.replies.outcome(replicas: 1, mode: .replica, now: start + 1700) == .confirmed(4))
    }

    /// Replies that were taken lie where they are until they are freed, and then the memory goes back.
    @Test func takenRepliesStayUntilTheyAreFreed() {
        let queue = Queue()
        let before = queue.pool.blocks.usedBytes
        for round in 0..<20 {
            var taken: [WithheldReplies.Taken] = []
            for step in 0..<5000 { queue.append("$\(step)", sequence: UInt32(step), now: round) }
            queue.replies.mark()
            for _ in 0..<5000 { taken.append(queue.replies.takeFirst(&queue.pool)!) }
            for (step, one) in taken.enumerated() {
                let bytes = UnsafeBufferPointer(start: one.bytes, count: one.count)
                #expect(bytes.elementsEqual("$\(step)".utf8) && one.pending.sequence == UInt32(step))
            }
            queue.replies.freeTaken(&queue.pool)
            #expect(queue.replies.isEmpty)
            #expect(queue.pool.blocks.usedBytes == before)
        }
    }

    @Test func thereIsALimit() {
        let queue = Queue()
        var count = 0
        while !queue.replies.isFull && count < 1_000_000 {
            queue.append("+OK\r\n", sequence: UInt32(count), now: 0)
            count += 1
        }
        #expect((50_000...200_000).contains(count))
        #expect(queue.pool.blocks.usedBytes < 4 * WithheldReplies.limitBytes)
    }

    @Test func aProcessIsKnownByItsRunIdentifier() {
        var info = Array("=60\r\ntxt:# Server\r\nrun_id:00000000000000ffa1b2c3d4e5f60718293a4b5c\r\n".utf8)
        let count = info.count
        info.withUnsafeMutableBufferPointer { buffer in
            #expect(ShardProcessMark.find(in: buffer.baseAddress!, count) == 255)
            #expect(ShardProcessMark.find(in: buffer.baseAddress!, 30) == 0)
        }
    }
}
