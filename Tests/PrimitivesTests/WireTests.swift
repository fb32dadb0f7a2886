import Primitives
import Testing

/// One of everything.
private struct Sample: WireMessage, Equatable {
    var number: UInt16 = 0xBEEF
    var negative: Int64 = -2
    var flag = true
    var text = "grüße"
    var bytes: [UInt8] = [0, 255]
    var list = ["a", "", "c"]
    var some: String? = "here"
    var nothing: UInt32?

    init() {}

    func encode(into writer: inout WireWriter) {
        writer.write(number)
        writer.write(negative)
        writer.write(flag)
        writer.write(text)
        writer.write(bytes)
        writer.write(list: list) { $0.write($1) }
        writer.write(optional: some) { $0.write($1) }
        writer.write(optional: nothing) { $0.write($1) }
    }

    init(from reader: inout WireReader) throws(WireError) {
        number = try reader.read()
        negative = try reader.read()
        flag = try reader.readBool()
        text = try reader.readString()
        bytes = try reader.readBytes()
        list = try reader.readList { reader throws(WireError) in try reader.readString() }
        some = try reader.readOptional { reader throws(WireError) in try reader.readString() }
        nothing = try reader.readOptional { reader throws(WireError) in try reader.read() }
    }
}

struct WireTests {
    private func encoded(_ sample: Sample) -> [UInt8] {
        var writer = WireWriter()
        sample.encode(into: &writer)
        return writer.bytes
    }

    @Test func readsBackWhatItWrites() throws {
        var reader = WireReader(encoded(Sample()))
        #expect(try Sample(from: &reader) == Sample())
        #expect(reader.isAtEnd)
    }

    @Test func integersAreLittleEndian() {
        #expect(encoded(Sample()).prefix(4) == [0xEF, 0xBE, 0xFE, 0xFF])
    }

    @Test func everyTruncationIsAnErrorAndNeverACrash() {
        let bytes = encoded(Sample())
        for length in bytes.indices {
            var reader = WireReader(bytes.prefix(length))
            #expect(throws: WireError.self, "\(length) of \(bytes.count) bytes") { try Sample(from: &reader) }
        }
    }

    @Test func liesAboutLengthsReserveNothing() {
        var reader = WireReader([0xFF, 0xFF, 0xFF, 0xFF, 1])
        #expect(throws: WireError.truncated) {
            try reader.readList { reader throws(WireError) in try reader.read(UInt8.self) }
        }
        var other = WireReader([0xFF, 0xFF, 0xFF, 0x7F, 1])
        #expect(throws: WireError.truncated) { try other.readBytes() }
    }

    @Test func valuesOutsideTheirTypeAreNamed() {
        var flag = WireReader([2])
        #expect(throws: WireError.invalid("boolean")) { try flag.readBool() }
        var text = WireReader([1, 0, 0, 0, 0xFF])
        #expect(throws: WireError.invalid("UTF-8 text")) { try text.readString() }
    }
}

struct FrameBufferTests {
    /// A stream arrives in any pieces; the frames are the same.
    @Test func everySplitGivesTheSameFrames() throws {
        let stream = Sample().framed() + [0, 0, 0, 0] + Sample().framed()
        for size in 1...stream.count {
            var buffer = FrameBuffer()
            var frames: [[UInt8]] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                buffer.append(stream[start..<min(start + size, stream.count)])
                while let frame = try buffer.next() { frames.append(frame) }
            }
            #expect(frames.count == 3 && frames[1].isEmpty && frames[0] == frames[2], "pieces of \(size)")
        }
    }

    @Test func aFrameThatIsTooLongIsRefusedBeforeItArrives() {
        var buffer = FrameBuffer()
        buffer.append([1, 0, 0, 4])
        #expect(throws: WireError.invalid("frame of 67108865 bytes")) { try buffer.next() }
    }
}
