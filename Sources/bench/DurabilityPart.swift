import ClusterModel
import Glibc

/// What waiting for a replica costs: one proxy, one primary with its replica, and two databases on them whose writes
/// are acknowledged at once and when the replica has them. The replica copies the writes of both.
struct DurabilityPart {
    let systems: Systems
    private static let durabilities: [Durability] = [.async, .replica]

    func run() throws(BenchFailure) {
        try systems.shards.fill(1, valueBytes: 64)
        let primary = try systems.shards.first(1)
        let replica = try systems.shards.replica(of: 0)
        let tarn = try systems.freshTarn("durability")
        var cells: [[Cell]] = []
        var endpoints: [System] = []
        for (index, durability) in Self.durabilities.enumerated() {
            let address = systems.freshAddress()
            try tarn.serve(
                database: index + 1, at: address, shards: [systems.shards.socket(0)], durability: durability)
            endpoints.append(
                System(
                    name: durability.rawValue, addresses: [address], process: tarn.process, shards: primary + [replica])
            )
        }
        let loads =
            systems.options.loads
            ?? [1, 16].flatMap { pipeline in
                [1, 50, 500].map { Load(.set, 64, pipeline: pipeline, connections: $0) }
            }
        for load in loads {
            var row = Self.durabilities.map { _ in Cell() }
            for round in 1...systems.options.rounds {
                Console.step("durability: \(load.name), round \(round) of \(systems.options.rounds)")
                for (index, endpoint) in endpoints.enumerated() {
                    let measurement = Measurement(
                        load: load, system: endpoint, threads: systems.options.threads, window: systems.options.window)
                    row[index].samples.append(try measurement.run())
                }
            }
            cells.append(row)
        }
        print(loads, cells)
        withExtendedLifetime(tarn) {}
    }

    private func print(_ loads: [Load], _ cells: [[Cell]]) {
        var table = Table([
            "durability", "", "req/s", "of async", "p50 us", "p99", "p99.9", "CPU us/req of the proxy", "foreign",
        ])
        for (load, row) in zip(loads, cells) {
            for (durability, cell) in zip(Self.durabilities, row) {
                let rate = cell.median(\.requestsPerSecond)
                table.add([
                    load.name, durability.rawValue, short(rate),
                    fixed(rate / row[0].median(\.requestsPerSecond), 2), short(cell.median(\.median)),
                    short(cell.median(\.p99)), short(cell.median(\.p999)), fixed(cell.median(\.proxy), 2),
                    fixed(cell.median(\.foreign) * 100, 0) + "%",
                ])
            }
        }
        Console.out(table.text + "\n")
    }
}
