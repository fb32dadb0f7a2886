/// What an operator does on purpose. No client may notice more than a pause (G2).
extension Fault {
    static let planned = [
        Fault(
            name: "switchover", guarantee: "G2", about: "`tarn db switchover` of every replicated database",
            lasts: .milliseconds(300), gapLimit: .milliseconds(300), isUnnoticed: true, forksOnce: false,
            needs: ["db", "switchover"]
        ) { scene in
            let databases = scene.lab.databases.filter(\.kind.isReplicated)
            for database in databases { try switchOver(database, scene.lab) }
            return Injury(what: "switchover of \(databases.map(\.kind.name))")
        },
        Fault(
            name: "drain", guarantee: "G2", about: "`tarn node drain` of one node, then `undrain`",
            gapLimit: .milliseconds(300), isUnnoticed: true, forksOnce: false, needs: ["node", "drain"]
        ) { scene in
            try scene.lab.client.run("node", "drain", String(scene.node))
            return Injury(what: "node \(scene.node) drained") {
                try scene.lab.client.run("node", "undrain", String(scene.node))
            }
        },
    ]

    /// Refused, without any change, as long as a replica still copies.
    private static func switchOver(_ database: LabDatabase, _ lab: FaultLab) throws {
        let deadline = ContinuousClock.now + .seconds(10)
        let command = lab.client.command(["db", "switchover", String(database.uid)])
        while true {
            let result = try command.run()
            if result.succeeded { return }
            guard result.errors.contains("replica_not_synced"), ContinuousClock.now < deadline else {
                throw command.failure(result)
            }
            try Interruption.sleep(.milliseconds(50))
        }
    }
}
