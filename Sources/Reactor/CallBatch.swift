import CLinux

/// Sends and receives on many sockets with one call to the kernel, by io_uring.
///
/// What small requests pay for most is getting into the kernel and out of it, once for each socket. Here sockets are
/// asked as they are by single calls, without waiting, and all have answered when ``make()`` returns: buffers belong to
/// the caller again, and nothing has to be remembered between two turns of a loop.
///
/// One thread makes it and uses it.
package struct CallBatch {
    /// Most calls at once.
    package static let capacity = 64
    /// For fewer the ring costs as much as it saves.
    package static let minimum = 4

    private let ring: UnsafeMutablePointer<clinux_ring>
    private let results: UnsafeMutablePointer<Int32>
    package private(set) var count = 0

    /// Nil: the kernel is older than 6.1, or the container or the administrator forbids io_uring.
    package init?() {
        ring = .allocate(capacity: 1)
        results = .allocate(capacity: Self.capacity)
        if clinux_ring_open(ring, UInt32(Self.capacity)) == 0 { return }
        ring.deallocate()
        results.deallocate()
        return nil
    }

    package var isFull: Bool { count == Self.capacity }

    /// - Precondition: Not full. The bytes stay where they are until ``make()`` returns.
    @inline(__always)
    package mutating func addSend(_ descriptor: Int32, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        clinux_ring_add_send(ring, descriptor, bytes, UInt32(clamping: count))
        self.count &+= 1
    }

    /// - Precondition: Not full. The buffer stays where it is until ``make()`` returns.
    @inline(__always)
    package mutating func addReceive(_ descriptor: Int32, _ buffer: UnsafeMutablePointer<UInt8>, _ count: Int) {
        clinux_ring_add_receive(ring, descriptor, buffer, UInt32(clamping: count))
        self.count &+= 1
    }

    /// Makes all calls that were added since the last time.
    @inline(__always)
    package mutating func make() {
        let failure = clinux_ring_submit(ring, results)
        precondition(failure == 0, "io_uring fails")
        count = 0
    }

    /// What the call gave that was added as the `index`-th: bytes, 0 at the end of a stream, or `-errno`. Until calls
    /// are made again.
    @inline(__always)
    package subscript(index: Int) -> Int { Int(results[index]) }

    package func close() {
        clinux_ring_close(ring)
        ring.deallocate()
        results.deallocate()
    }
}
