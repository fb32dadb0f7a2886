import ClusterModel

/// G1 before anything fails: what was acknowledged is where a failover would look for it. While nothing goes wrong this
/// holds at every moment, so that no fault has to strike in the few milliseconds that count.
extension Invariants {
    /// A client has been told that its write is done.
    func checkConfirmed(_ write: SimulatedWrite) {
        guard simulation.settings.kind == .calm, simulation.isDurable(write.database),
            let database = simulation.store.newest.state.databases[write.database]
        else { return }
        checkConfirmed([write.number], in: database, write.slots)
    }

    /// Shards come and go.
    func checkConfirmed(in database: DatabaseConfiguration) {
        guard simulation.settings.kind == .calm, simulation.isDurable(database.id) else { return }
        let acknowledged = simulation.clients.acknowledged[database.id] ?? []
        for primary in database.primaries {
            let numbers = acknowledged.filter { $0.slots == primary.slots }.map(\.number)
            checkConfirmed(numbers, in: database, primary.slots)
        }
    }

    private func checkConfirmed(_ numbers: [Int], in database: DatabaseConfiguration, _ slots: SlotRange) {
        let copies = database.shards.filter { $0.slots == slots && $0.role == .replica && !$0.isCopying }
        let logs = copies.map { Set(simulation.shards[$0.id]?.log ?? []) }
        guard !logs.isEmpty, let lost = numbers.first(where: { number in !logs.contains { $0.contains(number) } })
        else { return }
        let names = copies.map { "shard \($0.id)" }.joined(separator: " and ")
        simulation.violate(
            "write \(lost) to database \(database.id), slots \(slots), was acknowledged, and \(names), which would "
                + "take over if the primary were lost now, hasn't got it")
    }
}
