/// The keys that the clients of one database use in one run, some on every shard.
struct LoadKeys: Sendable {
    /// Lists per shard; few, so that each has many elements whose order can be judged.
    static let listsPerShard = 2
    /// Registers are numbered `shard * registersPerShard + client`.
    static let registersPerShard = 100

    /// Put in front of every key: no run finds what another one left.
    let prefix: String
    /// By shard: what between braces leads there.
    private let tags: [String]

    /// - Parameter slots: The range of every shard.
    init(prefix: String, slots: [ClosedRange<Int>]) {
        self.prefix = prefix
        tags = slots.map { range in
            (0...).lazy.map { "t\($0)" }.first { range.contains(Self.slot(of: $0)) } ?? ""
        }
    }

    var shardCount: Int { tags.count }
    var lists: Range<Int> { 0..<shardCount * Self.listsPerShard }
    func shard(ofList list: Int) -> Int { list / Self.listsPerShard }
    func list(_ number: Int) -> String { "\(prefix):list\(number):{\(tags[shard(ofList: number)])}" }

    func register(_ number: Int) -> String { "\(prefix):register\(number):{\(tags[shard(ofRegister: number)])}" }
    func shard(ofRegister register: Int) -> Int { register / Self.registersPerShard }
    static func register(of client: Int, shard: Int) -> Int { shard * registersPerShard + client }

    /// One key of every shard, for a look whether it takes writes.
    var probes: [String] { tags.map { "\(prefix):probe:{\($0)}" } }

    /// CRC16 (XMODEM) modulo 16384, as the Redis cluster specification has it.
    static func slot(of tag: String) -> Int {
        var crc: UInt16 = 0
        for byte in tag.utf8 {
            crc ^= UInt16(byte) << 8
            for _ in 0..<8 { crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1 }
        }
        return Int(crc) % 16384
    }
}
