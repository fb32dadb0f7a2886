/// A growing list of pointers without reference counting or exclusivity checks: the loop's to-do lists.
@usableFromInline package struct PointerList<Pointee> {
    @usableFromInline var items: UnsafeMutablePointer<UnsafeMutablePointer<Pointee>>
    @usableFromInline package var count = 0
    @usableFromInline var capacity: Int

    package init(capacity: Int = 64) {
        items = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    @inlinable @inline(__always)
    package subscript(index: Int) -> UnsafeMutablePointer<Pointee> { items[index] }

    @inlinable @inline(__always)
    package mutating func append(_ pointer: UnsafeMutablePointer<Pointee>) {
        if count == capacity { grow() }
        items[count] = pointer
        count &+= 1
    }

    @inlinable
    package mutating func removeLast() -> UnsafeMutablePointer<Pointee>? {
        if count == 0 { return nil }
        count &-= 1
        return items[count]
    }

    /// Linear; for short lists and rare events.
    package mutating func remove(_ pointer: UnsafeMutablePointer<Pointee>) {
        for index in 0..<count where items[index] == pointer {
            items[index] = items[count - 1]
            count -= 1
            return
        }
    }

    @inline(never) @usableFromInline
    mutating func grow() {
        let larger = UnsafeMutablePointer<UnsafeMutablePointer<Pointee>>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: items, count: count)
        items.deallocate()
        items = larger
        capacity *= 2
    }

    package func deallocate() { items.deallocate() }
}
