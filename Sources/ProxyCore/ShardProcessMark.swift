package import RESP

/// Tells one process of a shard from the next.
package enum ShardProcessMark {
    private static let field = Array("run_id:".utf8)
    private static let digits = 16

    /// - Parameter info: The reply to `INFO server`.
    /// - Returns: The first half of its `run_id`, 40 random digits; 0 when there is none.
    package static func find(in info: Bytes, _ count: Int) -> UInt64 {
        var index = 0
        while index + field.count + digits <= count {
            if (0..<field.count).allSatisfy({ info[index + $0] == field[$0] }) {
                let text = UnsafeBufferPointer(start: info + index + field.count, count: digits)
                return UInt64(String(decoding: text, as: UTF8.self), radix: 16) ?? 0
            }
            index += 1
        }
        return 0
    }
}
