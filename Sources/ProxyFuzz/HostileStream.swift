package import Primitives
import RESP

/// What an ill-meaning or broken client may send to a live proxy. Nothing of it touches keys that begin with `good`.
package enum HostileStream {
    private static let commands = [
        "SUBSCRIBE a", "UNSUBSCRIBE", "MULTI", "EXEC", "DISCARD", "WATCH a", "BLPOP x 0.01", "HELLO 3", "HELLO 2",
        "RESET",
        "XREAD BLOCK 5 STREAMS s $", "CLIENT LIST", "COMMAND COUNT", "INFO", "SCAN 0", "SCAN 99999999999", "KEYS good*",
        "OBJECT", "OBJECT NOSUCH x", "MGET a b c d e f g", "MSET a 1 b 2 c 3", "SUNION a b c", "EVAL return(1) 0",
        "EVAL return(ARGV[1]) 1 k x", "SORT a BY w_*", "NOSUCH x y", "PSUBSCRIBE *", "SSUBSCRIBE a", "WAIT 0 0", "QUIT",
        "RANDOMKEY", "SLOWLOG GET", "LATENCY HISTOGRAM", "PING", "ECHO x", "APPEND a xxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ]

    /// Up to some thousand bytes, most of them nearly right.
    package static func bytes(_ random: inout SeededRandom) -> [UInt8] {
        switch random.below(12) {
        case 0: return (0..<random.below(3000)).map { _ in UInt8(random.below(256)) }
        case 1: return repeated("*1\r\n$4\r\nPING\r\n", 3000)
        case 2: return repeated("*0\r\n", 5000)
        case 3: return repeated("\r\n", 5000)
        case 4: return Array("*1048576\r\n".utf8) + repeated("$0\r\n\r\n", 3000)
        case 5:
            return Array("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\n".utf8) + [UInt8](repeating: 120, count: 90_000)
        case 6: return [UInt8](repeating: 65, count: 70_000)
        default: return (0...random.below(40)).flatMap { _ in one(&random) }
        }
    }

    private static func repeated(_ text: String, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<count { bytes.append(contentsOf: text.utf8) }
        return bytes
    }

    private static func one(_ random: inout SeededRandom) -> [UInt8] {
        let text = random.one(of: commands)
        var bytes: [UInt8]
        if random.isOne(in: 4) {
            bytes = Array(text.utf8) + [13, 10]
        } else {
            var writer = ReplyWriter()
            writer.command(text.split(separator: " ").map(String.init))
            bytes = writer.bytes
        }
        if random.isOne(in: 3) { bytes = RequestFuzz.request(&random) }
        return random.isOne(in: 6) ? mutated(bytes, &random) : bytes
    }
}
