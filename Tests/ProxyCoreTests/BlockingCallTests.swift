import RESP
import Testing

@testable import ProxyCore

@Suite struct BlockingCallTests {
    private func later(_ words: String, after milliseconds: Int) -> String? {
        var bytes = words.split(separator: " ").map { Array($0.utf8) }
        let name = String(decoding: bytes[0], as: UTF8.self).lowercased()
        let spans = bytes.indices.map { index in
            let copy = Bytes.allocate(capacity: bytes[index].count)  // Leaked: a test's few bytes.
            copy.update(from: &bytes[index], count: bytes[index].count)
            return ByteSpan(start: copy, count: bytes[index].count)
        }
        let call = BlockingCall(spans, name: name, now: 1000)
        guard var request = call.request(now: 1000 + milliseconds) else { return nil }
        let count = request.count
        request += [UInt8](repeating: 0, count: scanSlackBytes)
        return request.withUnsafeMutableBufferPointer { buffer in
            var command = ScannedCommand()
            guard scanCommand(buffer.baseAddress!, count, &command) == .complete else { return "malformed" }
            return ArgumentCursor.all(buffer.baseAddress!, command).map(\.text).joined(separator: " ")
        }
    }

    @Test func whatIsLeftOfItsTime() {
        #expect(later("BLPOP a b 10", after: 2500) == "BLPOP a b 7.500")
        #expect(later("blmove a b LEFT RIGHT 1.5", after: 495) == "blmove a b LEFT RIGHT 1.005")
        #expect(later("BZMPOP 3 1 z MIN", after: 1000) == "BZMPOP 2.000 1 z MIN")
        #expect(later("XREAD COUNT 2 BLOCK 5000 STREAMS s $", after: 1) == "XREAD COUNT 2 BLOCK 4999 STREAMS s $")
        #expect(later("BLPOP a 0", after: 99_999) == "BLPOP a 0")
        #expect(later("BLPOP a nonsense", after: 5) == "BLPOP a nonsense")
        #expect(later("BLPOP a 1e300", after: 5) == "BLPOP a 1e300")
        #expect(later("BLPOP a 1", after: 1000) == nil)
    }
}
