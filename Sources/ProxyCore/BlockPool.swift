package import RESP

/// Blocks of memory by powers of two, 64 bytes to 1 MiB. What is given back is taken again, so that the request path
/// calls the allocator only until the loop has met its load. One per loop.
@usableFromInline package struct BlockPool {
    private static let smallestShift = 6
    private static let largestShift = 20
    /// Kept idle at most, over all sizes. A burst may need more; the allocator gets that back.
    private static let idleLimit = 8 << 20

    /// First idle block of each size; each begins with the address of the next.
    private let lists: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let idleBytes: UnsafeMutablePointer<Int>
    private let takenBytes: UnsafeMutablePointer<Int>

    /// What is taken and not given back: all that queues and replies out of turn hold.
    package var usedBytes: Int { takenBytes.pointee }

    package init() {
        let count = Self.largestShift - Self.smallestShift + 1
        lists = .allocate(capacity: count)
        lists.initialize(repeating: nil, count: count)
        idleBytes = .allocate(capacity: 1)
        idleBytes.initialize(to: 0)
        takenBytes = .allocate(capacity: 1)
        takenBytes.initialize(to: 0)
    }

    /// - Returns: A block, and how much it holds; ``scanSlackBytes`` more may be read.
    package func take(_ count: Int) -> (base: Bytes, capacity: Int) {
        let shift = max(Self.smallestShift, Int.bitWidth &- (count &- 1).leadingZeroBitCount)
        let capacity = shift > Self.largestShift ? count : 1 &<< shift
        takenBytes.pointee &+= capacity
        if shift > Self.largestShift { return (.allocate(capacity: capacity + scanSlackBytes), capacity) }
        let list = lists + (shift &- Self.smallestShift)
        guard let block = list.pointee else { return (.allocate(capacity: capacity + scanSlackBytes), capacity) }
        list.pointee = block.load(as: UnsafeMutableRawPointer?.self)
        idleBytes.pointee &-= capacity
        return (block.assumingMemoryBound(to: UInt8.self), capacity)
    }

    /// - Parameter capacity: As ``take(_:)`` said.
    package func give(_ base: Bytes, capacity: Int) {
        takenBytes.pointee &-= capacity
        let shift = capacity.trailingZeroBitCount
        guard capacity == 1 &<< shift, (Self.smallestShift...Self.largestShift).contains(shift) else {
            return base.deallocate()
        }
        let list = lists + (shift &- Self.smallestShift)
        guard idleBytes.pointee &+ capacity <= Self.idleLimit else { return base.deallocate() }
        let block = UnsafeMutableRawPointer(base)
        block.storeBytes(of: list.pointee, as: UnsafeMutableRawPointer?.self)
        list.pointee = block
        idleBytes.pointee &+= capacity
    }
}
