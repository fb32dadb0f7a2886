/// What the dynamic loader would want to know of a program or library: read from the file, never by running it.
///
/// 64-bit little-endian only, as on both architectures that Tarn is built for.
/// - Source: System V ABI, chapters "ELF header", "Program header", "Dynamic section"; LSB "Symbol versioning".
package struct ElfFile: Equatable, Sendable {
    package enum Machine: UInt16, Sendable {
        case x86_64 = 62
        case aarch64 = 183
    }

    package var machine: Machine
    /// Names in the order in which the loader takes them (DT_NEEDED).
    package var neededLibraries: [String]
    /// The versions asked of any library, e.g. `GLIBC_2.34`.
    package var neededVersions: [String]

    /// Nil when the bytes are no ELF file for one of our machines, or a damaged one.
    package init?(_ bytes: [UInt8]) {
        let view = View(bytes: bytes)
        guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]),
            let machine = view.integer(at: 18, as: UInt16.self).flatMap(Machine.init(rawValue:)),
            let segments = Self.segments(view)
        else { return nil }
        self.machine = machine
        neededLibraries = []
        neededVersions = []
        guard let dynamic = segments.first(where: { $0.type == Segment.dynamic }) else { return }
        let entries = Self.dynamicEntries(view, dynamic)
        guard let tableAddress = entries.first(where: { $0.tag == 5 })?.value,
            let table = Self.offset(of: tableAddress, in: segments)
        else { return nil }
        for entry in entries where entry.tag == 1 {
            guard let name = view.text(at: table, plus: entry.value) else { return nil }
            neededLibraries.append(name)
        }
        if let address = entries.first(where: { $0.tag == 0x6FFF_FFFE })?.value,
            let offset = Self.offset(of: address, in: segments)
        {
            neededVersions = Self.versions(view, at: offset, names: table)
        }
    }

    private struct Segment {
        static let load: UInt32 = 1
        static let dynamic: UInt32 = 2
        var type: UInt32
        var offset: UInt64
        var address: UInt64
        var size: UInt64
    }

    private static func segments(_ view: View) -> [Segment]? {
        guard let start = view.integer(at: 32, as: UInt64.self), let width = view.integer(at: 54, as: UInt16.self),
            let count = view.integer(at: 56, as: UInt16.self), width >= 56
        else { return nil }
        var segments: [Segment] = []
        for index in 0..<UInt64(count) {
            let (base, overflows) = start.addingReportingOverflow(index * UInt64(width))
            guard !overflows, let type = view.integer(at: base, as: UInt32.self),
                let offset = view.integer(at: base, plus: 8, as: UInt64.self),
                let address = view.integer(at: base, plus: 16, as: UInt64.self),
                let size = view.integer(at: base, plus: 32, as: UInt64.self)
            else { return nil }
            segments.append(Segment(type: type, offset: offset, address: address, size: size))
        }
        return segments
    }

    private static func dynamicEntries(_ view: View, _ segment: Segment) -> [(tag: UInt64, value: UInt64)] {
        var entries: [(tag: UInt64, value: UInt64)] = []
        for index in 0..<segment.size / 16 {
            guard let tag = view.integer(at: segment.offset, plus: index * 16, as: UInt64.self), tag != 0,
                let value = view.integer(at: segment.offset, plus: index * 16 + 8, as: UInt64.self)
            else { break }
            entries.append((tag, value))
        }
        return entries
    }

    private static func offset(of address: UInt64, in segments: [Segment]) -> UInt64? {
        for segment in segments where segment.type == Segment.load {
            if address >= segment.address, address - segment.address < segment.size {
                return segment.offset &+ (address - segment.address)
            }
        }
        return nil
    }

    private static func versions(_ view: View, at start: UInt64, names table: UInt64) -> [String] {
        var found: [String] = []
        var library = start
        // 256 of each bound a table whose links run in a circle; glibc itself has about fifty versions.
        for _ in 0..<256 {
            guard let count = view.integer(at: library, plus: 2, as: UInt16.self),
                let first = view.integer(at: library, plus: 8, as: UInt32.self),
                let next = view.integer(at: library, plus: 12, as: UInt32.self)
            else { break }
            var version = library &+ UInt64(first)
            for _ in 0..<min(count, 256) {
                guard let name = view.integer(at: version, plus: 8, as: UInt32.self),
                    let step = view.integer(at: version, plus: 12, as: UInt32.self)
                else { break }
                if let text = view.text(at: table, plus: UInt64(name)) { found.append(text) }
                version = version &+ UInt64(step)
            }
            guard next != 0 else { break }
            library = library &+ UInt64(next)
        }
        return found
    }

    /// Bounds-checked reads, so that a damaged file gives nil and not a crash.
    private struct View {
        let bytes: [UInt8]

        func integer<Value: FixedWidthInteger>(at base: UInt64, plus: UInt64 = 0, as type: Value.Type) -> Value? {
            let (position, overflows) = base.addingReportingOverflow(plus)
            let width = UInt64(MemoryLayout<Value>.size)
            guard !overflows, position <= UInt64(bytes.count), UInt64(bytes.count) - position >= width else {
                return nil
            }
            return bytes.withUnsafeBytes {
                Value(littleEndian: $0.loadUnaligned(fromByteOffset: Int(position), as: Value.self))
            }
        }

        func text(at base: UInt64, plus: UInt64) -> String? {
            let (position, overflows) = base.addingReportingOverflow(plus)
            guard !overflows, position < UInt64(bytes.count) else { return nil }
            let rest = bytes[Int(position)...]
            guard let end = rest.firstIndex(of: 0) else { return nil }
            return String(validating: rest[..<end], as: UTF8.self)
        }
    }
}
