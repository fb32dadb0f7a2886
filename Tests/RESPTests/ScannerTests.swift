import RESP
import Testing

/// Runs a body over a copy with the readable slack that scanners are promised.
func withBytes<Value>(_ text: [UInt8], _ body: (UnsafeMutablePointer<UInt8>, Int) -> Value) -> Value {
    let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: text.count + scanSlackBytes)
    defer { buffer.deallocate() }
    buffer.initialize(repeating: 0x2A, count: text.count + scanSlackBytes)
    for (index, byte) in text.enumerated() { buffer[index] = byte }
    return body(buffer, text.count)
}

func request(_ words: String...) -> [UInt8] {
    var writer = ReplyWriter()
    writer.command(words)
    return writer.bytes
}

@Suite struct ScannerTests {
    @Test func everyPrefixIsPartialAndTheWholeIsComplete() {
        let text = request("SET", "key:{tag}", String(repeating: "v", count: 300), "EX", "1234567890")
        for length in 1...text.count {
            let (scan, command) = scan(Array(text.prefix(length)))
            #expect(scan == (length == text.count ? .complete : .partial), "prefix of \(length)")
            if length == text.count {
                #expect(command.byteCount == text.count)
                #expect(command.argumentCount == 5)
                let key = text[command.keyOffset..<command.keyOffset + command.keyCount]
                #expect(Array(key) == Array("key:{tag}".utf8))
            }
        }
    }

    /// What Redis refuses must be refused here: behind a shared upstream it would close everyone's connection.
    @Test(arguments: [
        ("*a\r\n", CommandScan.invalidArgumentCount), ("*03\r\n", .invalidArgumentCount),
        ("*99999999\r\n", .invalidArgumentCount), ("*123456789012345\r\n", .invalidArgumentCount),
        ("*-\r\n", .invalidArgumentCount), ("*\r\n ", .invalidArgumentCount), ("*+1\r\n", .invalidArgumentCount),
        ("*1\r\n+x\r\n", .expectedBulk), ("*1\r\n$-1\r\n", .invalidBulkLength),
        ("*1\r\n$01\r\na\r\n", .invalidBulkLength), ("*1\r\n$x\r\n", .invalidBulkLength),
        ("*1\r\n$536870913\r\n", .invalidBulkLength),
    ])
    func refuses(text: String, expected: CommandScan) {
        #expect(scan(Array(text.utf8)).0 == expected)
    }

    @Test func rememberedHeadFindsWhatBeginsAlike() throws {
        let entry = try #require(commandEntry("set"))
        let first = request("SET", "key", "value")
        var head = CommandHead()
        var command = ScannedCommand()
        #expect(!withBytes(first) { head.scan($0, $1, &command) }, "nothing is remembered yet")
        withBytes(first) { bytes, _ in head.remember(bytes, scan(first).1, entry) }
        #expect(head.entry == entry)
        let next = request("SET", "other key", String(repeating: "v", count: 1234))
        for length in 0...next.count {
            let isFound = withBytes(Array(next.prefix(length))) { head.scan($0, $1, &command) }
            #expect(isFound == (length == next.count), "prefix of \(length)")
        }
        #expect(command.byteCount == next.count && command.argumentCount == 3)
        #expect(Array(next[command.keyOffset..<command.keyOffset + command.keyCount]) == Array("other key".utf8))
        let others = [
            request("SET", "key"), request("SET", "key", "value", "KEEPTTL"), request("GET", "key", "value"),
            request("SETX", "key", "value"), Array("*3\r\n$3\r\nSET\r\n$01\r\nx\r\n$1\r\ny\r\n".utf8),
        ]
        for other in others { #expect(!withBytes(other) { head.scan($0, $1, &command) }) }
    }

    /// What does not fit two words is read anew each time.
    @Test func longHeadsAreNotRemembered() throws {
        let entry = try #require(commandEntry("hgetall"))
        let text = request("HGETALL", "key")
        var head = CommandHead()
        withBytes(text) { bytes, _ in head.remember(bytes, scan(text).1, entry) }
        var command = ScannedCommand()
        #expect(head.entry == nil && !withBytes(text) { head.scan($0, $1, &command) })
    }

    @Test func emptyCommandsAreComplete() {
        for text in ["*0\r\n", "*-1\r\n", "*-10\r\n"] {
            let (scan, command) = scan(Array(text.utf8))
            #expect(scan == .complete)
            #expect(command.argumentCount == 0)
            #expect(command.byteCount == text.utf8.count)
        }
    }

    @Test func randomBytesNeverClaimMoreThanThereIs() {
        var state: UInt64 = 42
        let alphabet = Array("*$0123456789\r\n-+aZ".utf8)
        for _ in 0..<20_000 {
            var text: [UInt8] = [0x2A]
            for _ in 0..<40 {
                state = state &* 6_364_136_223_846_793_005 &+ 1
                text.append(alphabet[Int(state >> 33) % alphabet.count])
            }
            let (outcome, command) = scan(text)
            if outcome == .complete { #expect(command.byteCount <= text.count, "seed 42, \(text)") }
            _ = withBytes(text) { replyLength($0, $1) }
        }
    }

    @Test func progressFindsTheEndInEverySplit() {
        let text = request("APPEND", "k", String(repeating: "x", count: 100), "")
        let head = withBytes(text) { CommandProgress.headBytes($0, $1) }
        for cut in head...text.count {
            var progress = CommandProgress(argumentCount: 4)
            let first = withBytes(Array(text[head..<cut])) { progress.advance($0, $1) }
            #expect(first.outcome == (cut == text.count ? .complete : .needsMore))
            let second = withBytes(Array(text[(head + first.taken)...])) { progress.advance($0, $1) }
            #expect(second.outcome == .complete)
            #expect(head + first.taken + second.taken == text.count)
        }
    }

    @Test(arguments: [
        "+OK\r\n", "+OKAY\r\n", "+O\r\n", "$10\r\n0123456789\r\n",
        "$99\r\n" + String(repeating: "x", count: 99) + "\r\n",
        "-ERR x\r\n", ":-12\r\n", "$-1\r\n", "*-1\r\n", "$0\r\n\r\n", "$5\r\nhe\r\no\r\n", "*0\r\n",
        "*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n+x\r\n", "%1\r\n+a\r\n:1\r\n", "~2\r\n:1\r\n:2\r\n", "_\r\n", "#t\r\n",
        "|1\r\n+k\r\n+v\r\n:7\r\n", ">2\r\n+a\r\n=7\r\ntxt:abc\r\n", ",-1.5e10\r\n", ",inf\r\n", "(349242394819283\r\n",
        "!8\r\nERR a\r\nb\r\n", "%0\r\n", "~0\r\n", "*2\r\n%1\r\n$1\r\na\r\n~2\r\n#f\r\n_\r\n,3.25\r\n",
    ])
    func replyEndsInEverySplit(text: String) {
        let bytes = Array(text.utf8)
        #expect(withBytes(bytes + Array(":9\r\n".utf8)) { replyLength($0, $1) } == bytes.count)
        for cut in 0..<bytes.count {
            #expect(withBytes(Array(bytes[..<cut])) { replyLength($0, $1) } == 0, "prefix of \(cut)")
            var progress = ReplyProgress()
            let first = withBytes(Array(bytes[..<cut])) { progress.advance($0, $1) }
            #expect(first.outcome == .needsMore)
            let second = withBytes(Array(bytes[first.taken...])) { progress.advance($0, $1) }
            #expect(second.outcome == .complete && first.taken + second.taken == bytes.count, "cut at \(cut)")
        }
    }

    private func commandEntry(_ name: String) -> CommandTable.Entry? {
        withBytes(Array(name.utf8)) { CommandTable.compiled().find($0, count: $1) }
    }

    private func scan(_ text: [UInt8]) -> (CommandScan, ScannedCommand) {
        withBytes(text) { bytes, count in
            var command = ScannedCommand()
            let outcome = scanCommand(bytes, count, &command)
            return (outcome, command)
        }
    }
}
