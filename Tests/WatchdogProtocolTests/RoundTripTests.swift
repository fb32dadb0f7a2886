import Primitives
import Testing
import WatchdogProtocol

let shard = ProcessSpecification(
    name: "shard-12", executable: "/opt/tarn/current/bin/redis-server", arguments: ["redis.conf", "", "ä b"],
    environment: ["B": "2=3", "A": ""], workingDirectory: "/var/lib/tarn/shards/12", restart: .never,
    addressSpaceLimitBytes: 1 << 33, openFileLimit: 10_032, outOfMemoryScore: -250, stopSignal: 2,
    stopTimeoutMilliseconds: 30_000, stopPhase: 30)

let statuses = [
    ProcessStatus(name: "etcd", state: .running, pid: 4711, restarts: 0, lastExit: nil),
    ProcessStatus(name: "shard-1", state: .ended, pid: 0, restarts: 3, lastExit: .signal(9)),
    ProcessStatus(name: "shard-2", state: .stopping, pid: 9, restarts: .max, lastExit: .status(-1)),
    ProcessStatus(name: "shard-3", state: .waitingToRestart, pid: 0, restarts: 1, lastExit: .unknown),
]

let requests: [WatchdogRequest] = [
    .start(shard), .stop(name: "shard-12"), .signal(name: "etcd", number: 15), .list, .reexecute(path: ""), .shutdown,
].enumerated().map { WatchdogRequest(number: UInt32($0.offset) &- 1, command: $0.element) }

let replies: [WatchdogReply] = [
    .done(number: .max, statuses), .done(number: 0, []), .failed(number: 7, message: "cannot execute /x"),
    .exited(statuses[1]), .restarted(statuses[0]),
]

func body(_ message: some WireMessage) -> [UInt8] { Array(message.framed().dropFirst(4)) }

func decode<Message: WireMessage>(_ type: Message.Type, _ bytes: some Sequence<UInt8>) throws(WireError) -> Message {
    var reader = WireReader(bytes)
    let message = try Message(from: &reader)
    guard reader.isAtEnd else { throw .invalid("rest") }
    return message
}

@Test(arguments: requests)
func requestsComeBackEqual(_ request: WatchdogRequest) throws {
    #expect(try decode(WatchdogRequest.self, body(request)) == request)
}

@Test(arguments: replies)
func repliesComeBackEqual(_ reply: WatchdogReply) throws {
    #expect(try decode(WatchdogReply.self, body(reply)) == reply)
}

@Test(arguments: requests)
func everyShorterRequestIsRefused(_ request: WatchdogRequest) {
    let whole = body(request)
    for count in 0..<whole.count {
        #expect(throws: WireError.self) { try decode(WatchdogRequest.self, whole[..<count]) }
    }
}

@Test func hostileValuesAreRefused() throws {
    // An unknown kind of request, of reply, of restart policy, of state.
    #expect(throws: WireError.self) { try decode(WatchdogRequest.self, [0, 0, 0, 0, 99]) }
    #expect(throws: WireError.self) { try decode(WatchdogReply.self, [9]) }
    // A list that claims four billion arguments must not reserve memory for them.
    var writer = WireWriter()
    writer.write(UInt32(1))
    writer.write(UInt8(1))
    writer.write("shard-1")
    writer.write("/bin/true")
    writer.write(UInt32.max)
    #expect(throws: WireError.truncated) { try decode(WatchdogRequest.self, writer.bytes) }
    // A name that is no UTF-8.
    #expect(throws: WireError.self) { try decode(WatchdogRequest.self, [0, 0, 0, 0, 2, 1, 0, 0, 0, 0xFF]) }
}

@Test func randomBytesNeverTrap() {
    var random = SeededRandom(seed: 12)
    for _ in 0..<20_000 {
        var bytes = body(requests[Int.random(in: 0..<requests.count, using: &random)])
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
        }
        _ = try? decode(WatchdogRequest.self, bytes)
        _ = try? decode(WatchdogReply.self, bytes)
    }
}

@Test func framesArriveInEverySplitAndOversizedOnesAreRefused() throws {
    let stream = requests.flatMap { $0.framed() }
    for chunk in [1, 2, 3, 7, stream.count] {
        var buffer = FrameBuffer()
        var arrived: [WatchdogRequest] = []
        for start in stride(from: 0, to: stream.count, by: chunk) {
            buffer.append(stream[start..<min(start + chunk, stream.count)])
            while let frame = try buffer.next() { arrived.append(try decode(WatchdogRequest.self, frame)) }
        }
        #expect(arrived == requests)
    }
    var bounded = FrameBuffer(limitBytes: 16)
    bounded.append([17, 0, 0, 0])
    #expect(throws: WireError.self) { try bounded.next() }
}
