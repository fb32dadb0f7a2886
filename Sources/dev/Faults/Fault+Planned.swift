/// What an operator does on purpose. No client may notice more than a pause (G2).
extension Fault {
    static let planned = [
        Fault(
            name: "switchover", guarantee: "G2", about: "`tarn db switchover` of every replicated database",
            needs: ["db", "switchover"]
        ) { scene in
            let databases = scene.lab.databases.filter(\.kind.isReplicated)
            for database in databases { try scene.lab.client.run("db", "switchover", String(database.uid)) }
            return Injury(what: "switchover of \(databases.map(\.kind.name))")
        },
        Fault(
            name: "drain", guarantee: "G2", about: "`tarn node drain` of one node, then `undrain`",
            forksOnce: false, needs: ["node", "drain"]
        ) { scene in
            try scene.lab.client.run("node", "drain", String(scene.node))
            return Injury(what: "node \(scene.node) drained") {
                try scene.lab.client.run("node", "undrain", String(scene.node))
            }
        },
    ]
}
