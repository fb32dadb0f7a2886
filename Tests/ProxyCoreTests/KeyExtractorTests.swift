import ProxyCore
import RESP
import Testing

@Suite struct KeyExtractorTests {
    @Test(arguments: [
        (["EVAL", "return 1", "2", "a", "b", "x"], [3, 4]), (["FCALL", "f", "0", "x"], []),
        (["ZUNIONSTORE", "d", "2", "a", "b", "WEIGHTS", "1", "2"], [1, 3, 4]), (["ZUNION", "1", "a"], [2]),
        (["LMPOP", "2", "a", "b", "LEFT"], [2, 3]), (["BLMPOP", "0", "2", "a", "b", "LEFT"], [3, 4]),
        (["XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0"], [4, 5]),
        (["XREADGROUP", "GROUP", "streams2", "c", "STREAMS", "a", ">"], [5]),
        (["SORT", "a", "BY", "w_*", "STORE", "d"], [1, 5]), (["SORT_RO", "a", "STORE", "d"], [1]),
        (["GEORADIUS", "g", "1", "2", "3", "m", "STOREDIST", "d"], [1, 7]),
        (["BLPOP", "a", "b", "0"], [1, 2]), (["BITOP", "AND", "d", "a", "b"], [2, 3, 4]),
        (["MSETNX", "a", "1", "b", "2"], [1, 3]),
        (["SORT", "a", "GET", "STORE", "LIMIT", "0", "store", "STORE", "d"], [1, 8]),
        (["XREADGROUP", "GROUP", "streams", "c", "STREAMS", "a", ">"], [5]),
        (["PFMERGE", "d"], [1]), (["ZUNIONSTORE", "d", "9", "a"], [1]),
        (["GEORADIUSBYMEMBER", "g", "STORE", "1", "km", "STORE", "d"], [1, 6]), (["OBJECT", "ENCODING", "a"], [2]),
        (["MEMORY", "USAGE", "a", "SAMPLES", "0"], [2]), (["XGROUP", "CREATE", "a", "g", "$"], [2]),
        (["RENAME", "a", "b"], [1, 2]), (["GET", "a"], [1]), (["PING"], []),
    ])
    func keys(words: [String], expected: [Int]) {
        #expect(indexes(words) == expected)
    }

    @Test(arguments: [
        ["EVAL", "x", "9", "a"], ["EVAL", "x", "-1"], ["ZUNION", "a", "b"], ["ZUNION", "+1", "b"],
        ["EVAL", "x", "99999999999999999999", "a"], ["EVAL", "x", "9223372036854775807", "a"],
    ])
    func contradictions(words: [String]) {
        #expect(indexes(words) == nil)
    }

    private func indexes(_ words: [String]) -> [Int]? {
        var writer = ReplyWriter()
        writer.command(words)
        writer.raw([UInt8](repeating: 0, count: scanSlackBytes))
        var bytes = writer.bytes
        let table = CommandTable.compiled()
        defer { table.deallocate() }
        return bytes.withUnsafeMutableBufferPointer { buffer -> [Int]? in
            var command = ScannedCommand()
            guard scanCommand(buffer.baseAddress!, buffer.count, &command) == .complete,
                var info = table.find(buffer.baseAddress! + command.nameOffset, count: command.nameCount)
            else { return [-1] }
            if info.pointee.isContainer {
                var name = Array("\(words[0])|\(words[1])".utf8) + [UInt8](repeating: 0, count: scanSlackBytes)
                let count = name.count - scanSlackBytes
                guard let found = name.withUnsafeMutableBufferPointer({ table.find($0.baseAddress!, count: count) })
                else { return [-1] }
                info = found
            }
            return KeyExtractor.keyIndexes(ArgumentCursor.all(buffer.baseAddress!, command), info.pointee)
        }
    }
}
