import ProxyCore
import RESP
import Testing

/// What of an upstream's stream may still be taken back, and which part of it has to be.
@Suite struct WithheldTests {
    /// - Parameter unsent: Bytes that have not left.
    private func makeUpstream(_ requests: [Pending], unsent: Int) -> (Upstream, BufferPool) {
        let shard = ShardPointer.allocate(capacity: 1)
        var upstream = Upstream(shard: shard, role: .shared, lane: .resp2)
        var pool = BufferPool()
        for request in requests { upstream.pending.append(request) }
        pool.append(&upstream.output, [UInt8](repeating: 1, count: unsent))
        return (upstream, pool)
    }

    private func request(
        _ byteCount: Int, isWrite: Bool = false, _ kind: Pending.Kind = .session
    ) -> Pending {
        Pending(target: nil, sequence: 0, byteCount: byteCount, kind: kind, isWrite: isWrite)
    }

    @Test func onlyWholeRequestsAreUnsent() {
        var (upstream, _) = makeUpstream([request(10), request(20), request(30)], unsent: 55)
        #expect(upstream.unsentTail == (2, 50))
        (upstream, _) = makeUpstream([request(10), request(20)], unsent: 19)
        #expect(upstream.unsentTail == (0, 0))
        (upstream, _) = makeUpstream([request(10, .login), request(20)], unsent: 30)
        #expect(upstream.unsentTail == (1, 20))
        // The block of a transaction is one piece.
        let block = [
            request(0, isWrite: true, .discard), request(0, isWrite: true, .discard), request(40, isWrite: true),
        ]
        (upstream, _) = makeUpstream([request(10)] + block, unsent: 45)
        #expect(upstream.unsentTail == (3, 40))
        (upstream, _) = makeUpstream([request(10)] + block, unsent: 30)
        #expect(upstream.unsentTail == (0, 0))
        (upstream, _) = makeUpstream([request(10), request(Int(UInt32.max))], unsent: 100)
        #expect(upstream.unsentTail == (0, 0))
    }

    @Test func readsInFrontOfTheFirstWriteMayLeave() {
        let block = [
            request(0, isWrite: true, .discard), request(0, isWrite: true, .discard), request(40, isWrite: true),
        ]
        var (upstream, _) = makeUpstream([request(10, isWrite: true), request(20)] + block + [request(5)], unsent: 65)
        #expect(upstream.unsentTailFromFirstWrite == (4, 45))
        #expect(upstream.owesWrite)
        (upstream, _) = makeUpstream([request(10), request(20), request(30, isWrite: true, .part)], unsent: 60)
        #expect(upstream.unsentTailFromFirstWrite == (1, 30))
        #expect(!upstream.owesWrite)
        (upstream, _) = makeUpstream([request(10), request(20)], unsent: 30)
        #expect(upstream.unsentTailFromFirstWrite == (0, 0))
    }

    @Test func whatTheProxyAsksForItselfIsOwedToNobody() {
        var (upstream, _) = makeUpstream(
            [request(10, .login), request(10, .identity), request(10, .errand)], unsent: 0)
        #expect(!upstream.owesReply)
        (upstream, _) = makeUpstream([request(10, .login), request(10, .part)], unsent: 0)
        #expect(upstream.owesReply)
    }

    @Test func theLeaseWakesOnlyWhoSlept() {
        let lease = ServingLease()
        #expect(lease.hasLapsed(at: 1))
        #expect(lease.set(until: 100, now: 50))
        #expect(!lease.hasLapsed(at: 99))
        #expect(lease.hasLapsed(at: 100))
        #expect(!lease.set(until: 200, now: 99))
        #expect(!lease.set(until: 60, now: 99))
        #expect(!lease.set(until: 70, now: 99))
        #expect(lease.set(until: 300, now: 99))
    }

    @Test func gapsOfTheLeaseAreCounted() {
        let lease = ServingLease()
        #expect(lease.set(until: 100, now: 50))
        let first = lease.look(at: 60)
        #expect(first == (false, lease.look(at: 100).gaps))
        _ = lease.set(until: 200, now: 99)
        #expect(lease.look(at: 199) == (false, first.gaps))
        _ = lease.set(until: 300, now: 200)
        #expect(lease.look(at: 250).gaps != first.gaps)
        var wrong = 0
        for _ in 0..<70_000 {
            let before = lease.look(at: 0).gaps
            _ = lease.set(until: 1, now: 0)
            if lease.look(at: 0).gaps != before { wrong += 1 }
            _ = lease.set(until: 400, now: 350)
            if lease.look(at: 390) != (false, (before + 1) % 65536) { wrong += 1 }
        }
        #expect(wrong == 0)
        _ = lease.set(until: .max, now: 0)
        #expect(!lease.hasLapsed(at: 1 << 46))
    }
}
