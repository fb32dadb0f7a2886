import RESP

/// Bytes that wait: half a command, a reply that the socket did not take. Empty queues own no memory.
///
/// A plain value inside sessions and upstreams; ``BufferPool`` gives and takes its memory.
@usableFromInline package struct ByteQueue {
    @usableFromInline package var base: UnsafeMutablePointer<UInt8>?
    @usableFromInline package var start = 0
    @usableFromInline package var end = 0
    @usableFromInline package var capacity = 0

    @inlinable package init() {}

    @inlinable @inline(__always) package var count: Int { end &- start }
    @inlinable @inline(__always) package var isEmpty: Bool { end == start }
    /// First waiting byte; only while not empty.
    @inlinable @inline(__always) package var first: UnsafeMutablePointer<UInt8> { base.unsafelyUnwrapped + start }
}

/// Memory for ``ByteQueue``, 16 KiB at least. One per loop.
@usableFromInline package struct BufferPool {
    /// Smallest size of a queue that is not empty.
    @usableFromInline package static let chunkBytes = 16 << 10

    package let blocks = BlockPool()

    package init() {}

    @inlinable @inline(__always)
    package mutating func append(_ queue: inout ByteQueue, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        if queue.end &+ count > queue.capacity { makeRoom(&queue, count) }
        (queue.base.unsafelyUnwrapped + queue.end).update(from: bytes, count: count)
        queue.end &+= count
    }

    package mutating func append(_ queue: inout ByteQueue, _ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        if queue.end &+ bytes.count > queue.capacity { makeRoom(&queue, bytes.count) }
        bytes.withUnsafeBufferPointer { buffer in
            (queue.base.unsafelyUnwrapped + queue.end).update(from: buffer.baseAddress!, count: buffer.count)
        }
        queue.end &+= bytes.count
    }

    /// Makes at least `count` bytes of room behind the end, by moving or by growing.
    @inline(never) @usableFromInline
    package mutating func makeRoom(_ queue: inout ByteQueue, _ count: Int) {
        let have = queue.count
        if have &+ count <= queue.capacity && queue.start >= queue.capacity / 2 {
            queue.base!.update(from: queue.base! + queue.start, count: have)
        } else {
            var capacity = max(Self.chunkBytes, queue.capacity)
            while capacity < have &+ count { capacity &*= 2 }
            let (fresh, _) = blocks.take(capacity)
            if have > 0 { fresh.update(from: queue.first, count: have) }
            release(&queue)
            queue.base = fresh
            queue.capacity = capacity
        }
        queue.start = 0
        queue.end = have
    }

    /// Drops `count` bytes from the front; the memory goes back when nothing is left.
    @inlinable @inline(__always)
    package mutating func consume(_ queue: inout ByteQueue, _ count: Int) {
        queue.start &+= count
        if queue.start == queue.end { release(&queue) }
    }

    @usableFromInline
    package mutating func release(_ queue: inout ByteQueue) {
        if let base = queue.base { blocks.give(base, capacity: queue.capacity) }
        queue = ByteQueue()
    }
}
