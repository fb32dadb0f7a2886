import Glibc

/// What an idle connection costs a proxy beyond the kernel's own memory for it.
struct MemoryPart {
    let systems: Systems
    static let count = 9800

    func run() throws(BenchFailure) {
        var names = [
            SystemName(.tarn, shards: 1), SystemName(.haproxy, shards: 1), SystemName(.nutcracker, shards: 2),
        ]
        if systems.options.predixy != nil { names.append(SystemName(.predixy, shards: 2)) }
        var table = Table(["\(Self.count) connections that asked once", "RSS before MB", "with them", "bytes each"])
        try systems.shards.fill(2, valueBytes: 64)
        for name in names {
            Console.step("memory of \(name.text)")
            let system = try systems.system(name)
            guard let process = system.process else { continue }
            let before = ProcessFigures.residentBytes(process.pid)
            let connections = try open(system)
            let after = ProcessFigures.residentBytes(process.pid)
            for connection in connections { close(connection) }
            table.add([
                name.text, fixed(Double(before) / 1_048_576, 1), fixed(Double(after) / 1_048_576, 1),
                fixed(Double(after - before) / Double(Self.count), 0),
            ])
        }
        Console.out(table.text + "\n")
    }

    private func open(_ system: System) throws(BenchFailure) -> [Int32] {
        let batch = Batch(Load(.get, 64))
        var connections: [Int32] = []
        for _ in 0..<Self.count {
            let connection = try system.addresses[0].connect()
            connections.append(connection)
            try system.addresses[0].exchange(batch.request, replyBytes: batch.reply.count, on: connection)
        }
        return connections
    }
}
