import Primitives
import Testing

struct ByteCountTests {
    @Test(
        arguments: [
            ("0", 0), ("1048576", 1 << 20), ("200mb", 200 << 20), ("200 MB", 200 << 20), ("1.5 GiB", 3 << 29),
            ("64k", 64 << 10), ("2tb", 2 << 40), ("7b", 7),
        ] as [(String, Int64)])
    func reads(text: String, bytes: Int64) {
        #expect(ByteCount(parsing: text) == ByteCount(bytes: bytes))
    }

    @Test(arguments: ["", "mb", "-1", "1x", "1..5g", "10 mbit", "9999999tb", "1e3"])
    func refuses(text: String) {
        #expect(ByteCount(parsing: text) == nil)
    }

    @Test func describesWithTheLargestUnitThatFits() {
        #expect(ByteCount.megabytes(200).description == "200 MB")
        #expect(ByteCount.megabytes(1536).description == "1.5 GB")
        #expect(ByteCount(bytes: 1023).description == "1023 B")
        #expect(ByteCount.kilobytes(1).description == "1 KB")
    }

    @Test func theDescriptionReadsBack() {
        for count in [ByteCount.megabytes(200), .gigabytes(3), .kilobytes(17), ByteCount(bytes: 5)] {
            #expect(ByteCount(parsing: count.description) == count)
        }
    }
}

struct WallTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_700_000_000_999, "2023-11-14T22:13:20Z"), (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
        ] as [(Int64, String)])
    func isWrittenAsISO8601(milliseconds: Int64, text: String) {
        #expect(WallTime(milliseconds: milliseconds).description == text)
    }
}

struct HexTests {
    @Test func everyByteReadsBack() {
        let bytes = Array(UInt8.min...UInt8.max)
        #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        #expect(Hex.decode("00fFA0") == [0, 255, 160])
    }

    @Test(arguments: ["0", "0g", "zz", "0x", "é1", " 1"])
    func otherTextIsRefused(text: String) {
        #expect(Hex.decode(text) == nil)
    }
}

struct SeededRandomTests {
    /// First outputs of SplitMix64 for seed 0, from its authors' test vectors.
    @Test func followsTheReference() {
        var random = SeededRandom(seed: 0)
        #expect(random.next() == 0xE220_A839_7B1D_CDAF)
        #expect(random.next() == 0x6E78_9E6A_A1B9_65F4)
        #expect(random.next() == 0x06C4_5D18_8009_454F)
    }
}
