import Glibc

/// CPU per request as shards, databases and connections grow. Rounds alternate, medians are compared with the first.
struct FlatPart {
    let systems: Systems
    private static let rounds = 5

    func run() throws(BenchFailure) {
        for pipeline in [1, 16] { try shards(Load(.get, 64, pipeline: pipeline)) }
        try databases()
        try connections()
    }

    private func shards(_ load: Load) throws(BenchFailure) {
        var series: [(String, Series)] = []
        for count in [1, 2, 4, 16, 64] {
            Console.step("flat: \(count) shards")
            try systems.shards.fill(count, valueBytes: load.valueBytes)
            let system = try systems.system(SystemName(.tarn, shards: count))
            series.append(("\(count)", Series(load, system)))
        }
        try compare("shards, \(load.name)", series)
    }

    /// One loop serves 1, 30 or 300 databases, all asked once before, one of them under load.
    private func databases() throws(BenchFailure) {
        let load = Load(.get, 64)
        try systems.shards.fill(1, valueBytes: load.valueBytes)
        var series: [(String, Series)] = []
        var tarns: [TarnProcess] = []
        for count in [1, 30, 300] {
            Console.step("flat: \(count) databases")
            let tarn = try systems.freshTarn("databases-\(count)")
            tarns.append(tarn)
            let first = systems.freshAddress()
            for database in 1...count {
                let address = database == 1 ? first : systems.freshAddress()
                try tarn.serve(database: database, at: address, shards: [systems.shards.socket(0)])
                let connection = try address.connect()
                defer { close(connection) }
                try address.exchange(Array("PING\r\n".utf8), replyBytes: 7, on: connection)
            }
            let shard = try systems.shards.first(1)
            let system = System(name: "tarn", addresses: [first], process: tarn.process, shards: shard)
            series.append(("\(count)", Series(load, system)))
        }
        try compare("databases, \(load.name)", series)
        withExtendedLifetime(tarns) {}
    }

    /// Fifty ask; the others are there.
    private func connections() throws(BenchFailure) {
        let load = Load(.get, 64)
        let system = try systems.system(SystemName(.tarn, shards: 1))
        var series: [(String, Series)] = []
        for count in [50, 500, MemoryPart.count] {
            series.append(("\(count)", Series(load, system, idle: count - load.connections)))
        }
        try compare("connections of which 50 ask, \(load.name)", series)
    }

    private final class Series {
        let load: Load
        let system: System
        let idle: Int
        var cell = Cell()

        init(_ load: Load, _ system: System, idle: Int = 0) {
            self.load = load
            self.system = system
            self.idle = idle
        }

        func sample() throws(BenchFailure) {
            var held: [Int32] = []
            defer { for connection in held { close(connection) } }
            for _ in 0..<idle { held.append(try system.addresses[0].connect()) }
            cell.samples.append(try Measurement(load: load, system: system).run())
        }
    }

    private func compare(_ title: String, _ series: [(String, Series)]) throws(BenchFailure) {
        for round in 1...Self.rounds {
            Console.step("flat: \(title), round \(round) of \(Self.rounds)")
            for (_, one) in series { try one.sample() }
        }
        var table = Table([title, "CPU us/req", "of the first", "req/s", "p50 us", "foreign"])
        let first = series[0].1.cell.median(\.proxy)
        for (label, one) in series {
            let cpu = one.cell.median(\.proxy)
            table.add([
                label, fixed(cpu, 3), fixed(cpu / first, 2), short(one.cell.median(\.requestsPerSecond)),
                short(one.cell.median(\.median)), fixed(one.cell.median(\.foreign) * 100, 0) + "%",
            ])
        }
        Console.out(table.text + "\n")
    }
}
