import CLinux
import Glibc
import Reactor
import Testing

@Suite struct CallBatchTests {
    /// Two ends of a connection; neither waits.
    private struct Pair {
        let near: Int32
        let far: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            precondition(
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
            (near, far) = (ends[0], ends[1])
        }

        func close() {
            Glibc.close(near)
            Glibc.close(far)
        }
    }

    private static let isAllowed: Bool = {
        guard let batch = CallBatch() else { return false }
        batch.close()
        return true
    }()

    @Test(.enabled(if: isAllowed, "this kernel, or this container, does not allow io_uring"))
    func everyCallHasItsOwnAnswer() throws {
        var batch = try #require(CallBatch())
        defer { batch.close() }
        let pairs = (0..<CallBatch.capacity).map { _ in Pair() }
        defer { for pair in pairs { pair.close() } }
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 4096)
        defer { bytes.deallocate() }
        for index in 0..<4096 { bytes[index] = UInt8(truncatingIfNeeded: index) }
        for round in 1...3 {
            for (index, pair) in pairs.enumerated() { batch.addSend(pair.near, bytes + index, round * 8 + index) }
            #expect(batch.isFull)
            batch.make()
            #expect(batch.count == 0)
            for index in pairs.indices { #expect(batch[index] == round * 8 + index) }
            let room = UnsafeMutablePointer<UInt8>.allocate(capacity: CallBatch.capacity * 128)
            defer { room.deallocate() }
            for (index, pair) in pairs.enumerated() { batch.addReceive(pair.far, room + index * 128, 128) }
            batch.make()
            for index in pairs.indices {
                #expect(batch[index] == round * 8 + index)
                #expect(memcmp(room + index * 128, bytes + index, round * 8 + index) == 0)
            }
        }
    }

    /// Nothing waits: neither for bytes that are to come nor for room.
    @Test(.enabled(if: isAllowed, "this kernel, or this container, does not allow io_uring"))
    func failuresAreToldWithoutWaiting() throws {
        var batch = try #require(CallBatch())
        defer { batch.close() }
        let (silent, full, gone) = (Pair(), Pair(), Pair())
        defer { for pair in [silent, full] { pair.close() } }
        defer { Glibc.close(gone.near) }
        let size = 8 << 20
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        defer { bytes.deallocate() }
        bytes.initialize(repeating: 7, count: size)
        Glibc.close(gone.far)
        batch.addReceive(silent.near, bytes, 16)
        batch.addSend(full.near, bytes, size)
        batch.addSend(gone.near, bytes, 16)
        batch.addReceive(gone.near, bytes, 16)
        batch.addSend(-1, bytes, 16)
        batch.addSend(silent.near, bytes, 16)
        batch.make()
        #expect(batch[0] == Int(-EAGAIN))
        #expect(batch[1] > 0 && batch[1] < size)
        #expect(batch[2] == Int(-EPIPE))
        #expect(batch[3] == 0)
        #expect(batch[4] == Int(-EBADF))
        #expect(batch[5] == 16)
        batch.addSend(full.near, bytes, size)
        batch.make()
        #expect(batch[0] == Int(-EAGAIN))
    }
}
