/// Commands by name, letter case ignored. Open addressing over whole words: a look-up costs a few nanoseconds.
///
/// Owns its entries until the process ends or ``deallocate()``. One table per loop, so no locks.
@usableFromInline package struct CommandTable {
    @usableFromInline package typealias Entry = UnsafePointer<CommandInfo>

    /// Name, folded to upper case, as three words. Letters fold exactly; other characters may coincide, which is
    /// harmless: the shard gets the client's own bytes, and no two commands of the table coincide.
    @usableFromInline struct Slot {
        @usableFromInline var first: UInt64 = 0
        @usableFromInline var second: UInt64 = 0
        @usableFromInline var third: UInt64 = 0
        @usableFromInline var count = 0
        @usableFromInline var entry: UnsafePointer<CommandInfo>?
        @usableFromInline init() {}
    }

    @usableFromInline package static let maximumNameBytes = 24
    @usableFromInline let slots: UnsafeMutablePointer<Slot>
    @usableFromInline let mask: Int
    private let capacity: Int
    package private(set) var count = 0

    /// - Parameter capacity: A power of two; half of it can be used.
    package init(capacity: Int) {
        self.capacity = capacity
        mask = capacity - 1
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: Slot(), count: capacity)
    }

    /// The commands of redis-server 7.0.
    package static func compiled() -> CommandTable {
        var table = CommandTable(capacity: 1024)
        let lines = commandFacts.description.split(separator: "\n").map { $0.split(separator: " ") }
        let containers = Set(lines.compactMap { fields in fields[0].firstIndex(of: "|").map { fields[0][..<$0] } })
        for fields in lines {
            guard fields.count >= 3, let arity = Int(fields[1]) else {
                preconditionFailure("malformed line in the command table: \(fields)")
            }
            table.insert(
                CommandInfo(
                    name: String(fields[0]), arity: arity, flags: String(fields[2]),
                    keys: fields.dropFirst(3).map(KeySpecification.init), isContainer: containers.contains(fields[0])))
        }
        return table
    }

    /// - Returns: False when the table is full or the name too long.
    @discardableResult
    package mutating func insert(_ info: CommandInfo) -> Bool {
        var name = Array(info.name.utf8)
        guard name.count <= Self.maximumNameBytes, !name.isEmpty, count < capacity / 2 else { return false }
        let length = name.count
        name.append(contentsOf: [UInt8](repeating: 0, count: scanSlackBytes))
        let entry = UnsafeMutablePointer<CommandInfo>.allocate(capacity: 1)
        entry.initialize(to: info)
        name.withUnsafeMutableBufferPointer { buffer in
            var slot = Self.fold(buffer.baseAddress!, length)
            var index = Self.hash(slot) & mask
            while slots[index].entry != nil { index = (index + 1) & mask }
            slot.entry = UnsafePointer(entry)
            slots[index] = slot
        }
        count += 1
        return true
    }

    @inlinable @inline(__always)
    package func find(_ name: Bytes, count: Int) -> Entry? {
        if count > Self.maximumNameBytes || count == 0 { return nil }
        let wanted = Self.fold(name, count)
        var index = Self.hash(wanted) & mask
        while true {
            let slot = slots + index
            guard let entry = slot.pointee.entry else { return nil }
            if slot.pointee.first == wanted.first && slot.pointee.count == count
                && slot.pointee.second == wanted.second && slot.pointee.third == wanted.third
            {
                return entry
            }
            index = (index &+ 1) & mask
        }
    }

    @inlinable @inline(__always)
    static func fold(_ name: Bytes, _ count: Int) -> Slot {
        var slot = Slot()
        slot.count = count
        slot.first = word(name, count)
        if count > 8 { slot.second = word(name + 8, count &- 8) }
        if count > 16 { slot.third = word(name + 16, count &- 16) }
        return slot
    }

    @inlinable @inline(__always)
    static func word(_ name: Bytes, _ count: Int) -> UInt64 {
        let loaded = UnsafeRawPointer(name).loadUnaligned(as: UInt64.self) & 0xDFDF_DFDF_DFDF_DFDF
        return count >= 8 ? loaded : loaded & ((1 &<< (UInt64(truncatingIfNeeded: count) &* 8)) &- 1)
    }

    @inlinable @inline(__always)
    static func hash(_ slot: Slot) -> Int {
        let mixed = (slot.first ^ (slot.second &* 0x9E37_79B9) ^ (slot.third &* 0x85EB_CA6B)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 40)
    }

    /// All of them, in no order.
    package var entries: [CommandInfo] { (0..<capacity).compactMap { slots[$0].entry?.pointee } }

    package func deallocate() {
        for index in 0..<capacity {
            guard let entry = slots[index].entry else { continue }
            let mutable = UnsafeMutablePointer(mutating: entry)
            mutable.deinitialize(count: 1)
            mutable.deallocate()
        }
        slots.deallocate()
    }
}
