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
        Fault(
            name: "rolling-maintenance", guarantee: "G2",
            about: "each node in turn drained, restarted and undrained, as for an upgrade of its machine",
            forksOnce: false, recovery: .seconds(90), needs: ["node", "drain"]
        ) { scene in
            for node in scene.lab.nodes {
                try scene.lab.client.run("node", "drain", String(node))
                try restart(node, scene.lab)
                try undrain(node, scene.lab)
                try scene.lab.waitUntilWhole(limit: .seconds(60))
            }
            return Injury(what: "all nodes in maintenance in turn", nodes: scene.lab.nodes)
        },
    ]

    /// Refused until the node has been seen again.
    private static func undrain(_ node: Int, _ lab: FaultLab) throws {
        try again {
            lab.client.command(["node", "undrain", String(node)])
        } onlyAfter: { _ in
            true
        }
    }

    /// Refused, without any change, as long as a replica still copies.
    private static func switchOver(_ database: LabDatabase, _ lab: FaultLab) throws {
        try again {
            lab.client.command(["db", "switchover", String(database.uid)])
        } onlyAfter: {
            $0.contains("replica_not_synced")
        }
    }

    private static func again(_ make: () -> Command, onlyAfter isPassing: (String) -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(20)
        let command = make()
        while true {
            let result = try command.run()
            if result.succeeded { return }
            guard isPassing(result.errors), ContinuousClock.now < deadline else { throw command.failure(result) }
            try Interruption.sleep(.milliseconds(50))
        }
    }
}
