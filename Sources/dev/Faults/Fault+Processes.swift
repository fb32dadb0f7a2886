import Glibc

/// One program of one node, or one shard of every database: killed, or hung for a time.
extension Fault {
    static let processes =
        [
            kill("tarn-proxy", "-", hitsClients: true), kill("tarn-manager", "G5"), kill("tarn-watchdog", "G5"),
            kill("etcd", "G5"), leaderKill, shardKill("primary", true, "G3"), shardKill("replica", false, "G3"),
        ] + [
            stop("tarn-proxy", "-", unnoticed, hitsClients: true),
            // A manager that says nothing for so long is a node that says nothing: it is fenced and replaced.
            stop("tarn-manager", "G4, G6", lossLimit, hitsClients: true), stop("tarn-watchdog", "-", unnoticed),
            stop("etcd", "G5", unnoticed, isUnnoticed: true), shardStop("primary", true), shardStop("replica", false),
        ]

    /// Long enough for every limit after which a silent process counts as hung.
    private static let hanging = Duration.seconds(8)

    /// Clients are not meant to notice: what is called so is what two busy cores do to anybody.
    private static let unnoticed = Duration.milliseconds(100)

    private static func short(_ program: String) -> String {
        program.hasPrefix("tarn-") ? String(program.dropFirst(5)) : program
    }

    private static func kill(_ program: String, _ guarantee: String, hitsClients: Bool = false) -> Fault {
        Fault(
            name: "\(short(program))-kill", guarantee: guarantee, about: "kill -9 of one node's \(short(program))",
            gapLimit: unnoticed, isUnnoticed: !hitsClients
        ) { scene in
            let pids = try running(program, scene.node, scene)
            try signal(SIGKILL, to: pids)
            return Injury(
                what: "\(program) \(pids) of node \(scene.node) killed", nodes: hitsClients ? [scene.node] : [])
        }
    }

    private static let leaderKill = Fault(
        name: "leader-kill", guarantee: "G5", about: "kill -9 of the manager that leads",
        gapLimit: unnoticed, isUnnoticed: true
    ) { scene in
        let leader = try scene.lab.leader()
        let pids = try running("tarn-manager", leader, scene)
        try signal(SIGKILL, to: pids)
        return Injury(what: "the leader's manager \(pids) of node \(leader) killed")
    }

    private static func stop(
        _ program: String, _ guarantee: String, _ gapLimit: Duration, hitsClients: Bool = false,
        isUnnoticed: Bool = false
    ) -> Fault {
        Fault(
            name: "\(short(program))-stop", guarantee: guarantee,
            about: "SIGSTOP of one node's \(short(program)), SIGCONT after \(hanging.components.seconds) s",
            lasts: hanging, gapLimit: gapLimit, isUnnoticed: isUnnoticed, hitsNode: program == "tarn-manager"
        ) { scene in
            let pids = try running(program, scene.node, scene)
            try signal(SIGSTOP, to: pids)
            return Injury(
                what: "\(program) \(pids) of node \(scene.node) stopped", nodes: hitsClients ? [scene.node] : [],
                heal: { wake(pids) })
        }
    }

    private static func shardKill(_ role: String, _ isPrimary: Bool, _ guarantee: String) -> Fault {
        Fault(
            name: "\(role)-kill", guarantee: guarantee, about: "kill -9 of one \(role) of every database",
            gapLimit: isPrimary ? .milliseconds(300) : unnoticed, isUnnoticed: !isPrimary
        ) { scene in
            let shards = try scene.shards(arePrimary: isPrimary)
            try signal(SIGKILL, to: shards.compactMap(\.pid))
            return Injury(what: "shards \(shards.map(\.uid)) killed, pids \(shards.compactMap(\.pid))")
        }
    }

    private static func shardStop(_ role: String, _ isPrimary: Bool) -> Fault {
        Fault(
            name: "\(role)-stop", guarantee: "-",
            about: "SIGSTOP of one \(role) of every database, SIGCONT after \(hanging.components.seconds) s",
            lasts: hanging
        ) { scene in
            let shards = try scene.shards(arePrimary: isPrimary)
            let pids = shards.compactMap(\.pid)
            try signal(SIGSTOP, to: pids)
            return Injury(what: "shards \(shards.map(\.uid)) stopped, pids \(pids)", heal: { wake(pids) })
        }
    }

    private static func running(_ program: String, _ node: Int, _ scene: FaultScene) throws -> [Int] {
        let pids = scene.lab.pids(program, on: node)
        guard !pids.isEmpty else { throw Failure(.product, "no \(program) runs on node \(node)") }
        return pids
    }

    /// What was stopped may have been killed since, by the node itself.
    private static func wake(_ pids: [Int]) {
        for pid in pids { _ = Glibc.kill(pid_t(pid), SIGCONT) }
    }
}
