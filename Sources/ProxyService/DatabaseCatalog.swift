import ClusterModel
import ProxyControl
import ProxyCore

/// What the control thread knows of the databases: epochs, tables in force, where each one listens.
struct DatabaseCatalog {
    struct Entry {
        var table: RouteTable
    }

    private(set) var entries: [DatabaseID: Entry] = [:]
    /// Epochs of removals: an update that was overtaken must not bring a database back.
    private var removals: [DatabaseID: Epoch] = [:]

    /// Nil when the routes may be applied.
    func objection(to routes: DatabaseRoutes) -> String? {
        let known = max(entries[routes.database]?.table.routes.epoch ?? .zero, removals[routes.database] ?? .zero)
        if routes.epoch < known { return "epoch \(routes.epoch) is older than \(known), which is in force" }
        return nil
    }

    func objection(toRemoving database: DatabaseID, _ epoch: Epoch) -> String? {
        guard let known = entries[database]?.table.routes.epoch, epoch < known else { return nil }
        return "epoch \(epoch) is older than \(known), which is in force"
    }

    func shared(of database: DatabaseID) -> DatabaseShared { entries[database]?.table.shared ?? DatabaseShared() }

    mutating func set(_ table: RouteTable) { entries[table.routes.database] = Entry(table: table) }

    mutating func remove(_ database: DatabaseID, _ epoch: Epoch) {
        entries[database] = nil
        removals[database] = max(epoch, removals[database] ?? .zero)
    }
}
