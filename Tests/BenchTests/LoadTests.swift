import Testing

@testable import bench

@Suite struct LoadTests {
    @Test func namesAreReadBack() {
        for load in Load.full + Load.quick { #expect(Load(load.name) == load) }
        #expect(Load("get-64") == Load(.get, 64))
        for wrong in ["", "get", "put-64", "get-64-x3", "get-64-p0", "get-1"] {
            #expect(Load(wrong) == nil, "\(wrong)")
        }
    }

    @Test func systemsAreReadBack() {
        for text in ["tarn/16", "direct/1", "haproxy-unix/1", "nutcracker/2", "predixy-unix/2"] {
            #expect(SystemName(text)?.text == text)
        }
        for wrong in ["redis/1", "haproxy/2", "tarn/0", "tarn/x"] { #expect(SystemName(wrong) == nil, "\(wrong)") }
    }

    /// The table is complete and every load in it is measured by default.
    @Test func targetsAreMeasured() {
        let measured = Set(Load.usual)
        for target in Target.all {
            #expect(target.limits.count == Target.Peer.allCases.count)
            for load in [target.get, target.set].compactMap({ $0 }) { #expect(measured.contains(load), "\(load.name)") }
        }
    }

    @Test func optionsOfDev() throws {
        let options = try Options(["proxy", "memory", "--rounds", "5", "--loads", "get-64-p16,set-1024"])
        #expect(options.parts == [.memory])
        #expect(options.rounds == 5)
        #expect(options.loads == [Load(.get, 64, pipeline: 16), Load(.set, 1024)])
        #expect(throws: BenchFailure.self) { try Options(["proxy", "--rounds", "0"]) }
        #expect(throws: BenchFailure.self) { try Options(["proxy", "speed"]) }
    }
}

@Suite struct BatchTests {
    @Test func digits() {
        for number: UInt32 in [0, 7, 42, 99, 100, 12_345, 9_999_999, 10_000_000, 98_765_432, 99_999_999] {
            let text = withUnsafeBytes(of: eightDigits(number)) { String(decoding: $0, as: UTF8.self) }
            let expected = String(String(100_000_000 + number).dropFirst())
            #expect(text == expected)
        }
    }

    @Test func getHasItsKeyInBoth() {
        let batch = Batch(Load(.get, 64, pipeline: 2))
        let one = "*2\r\n$3\r\nGET\r\n$16\r\nb000064:00000000\r\n"
        #expect(String(decoding: batch.request, as: UTF8.self) == one + one)
        #expect(batch.keys.map(\.offsets) == [[26], [26 + one.utf8.count]])
        let reply = String(decoding: batch.expectedReply([12, 34]), as: UTF8.self)
        let filling = String(repeating: "x", count: 56)
        #expect(reply == "$64\r\n00000012\(filling)\r\n$64\r\n00000034\(filling)\r\n")
    }

    @Test func setWritesTheKeyIntoTheValue() {
        let batch = Batch(Load(.set, 16))
        #expect(String(decoding: batch.reply, as: UTF8.self) == "+OK\r\n")
        #expect(batch.keys.count == 1)
        for offset in batch.keys[0].offsets {
            #expect(String(decoding: batch.request[offset..<offset + 8], as: UTF8.self) == "00000000")
        }
    }

    @Test func mixAsksForManyKeysAtOnce() {
        let batch = Batch(Load(.mix, 64, pipeline: 16))
        let request = String(decoding: batch.request, as: UTF8.self)
        #expect(request.contains("*11\r\n$4\r\nMGET\r\n"))
        #expect(batch.commandCount == 16)
        #expect(batch.keys.count == 12 + 3 + 10)
    }
}
