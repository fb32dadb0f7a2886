import Glibc

/// Whole nodes: without power, paused, started again.
extension Fault {
    static let wholeNodes = [
        Fault(
            name: "node-off", guarantee: "G4",
            about: "power-off: the node's cable and all its processes at once, back after 8 s", lasts: .seconds(8),
            gapLimit: lossLimit, hitsNode: true
        ) { scene in
            try powerOff([scene.node], scene)
            return Injury(what: "node \(scene.node) is off", nodes: [scene.node]) { try powerOn([scene.node], scene) }
        },
        Fault(
            name: "node-crash", guarantee: "G4",
            about: "kill -9 of all processes of a node at once, its kernel closes the connections; back after 8 s",
            lasts: .seconds(8), gapLimit: lossLimit, hitsNode: true
        ) { scene in
            try NodeNetwork.end { scene.lab.network.namespace(scene.node).pids }
            return Injury(what: "node \(scene.node) crashed", nodes: [scene.node]) {
                try scene.lab.cluster.start(scene.node)
            }
        },
        Fault(
            name: "two-off", guarantee: "G4", about: "power-off of two nodes of five at the same time, back after 8 s",
            lasts: .seconds(8), gapLimit: lossLimit, hitsNode: true, recovery: .seconds(90), leastNodes: 5
        ) { scene in
            let nodes = [scene.node, scene.others[scene.run % scene.others.count]]
            try powerOff(nodes, scene)
            return Injury(what: "nodes \(nodes) are off", nodes: nodes) { try powerOn(nodes, scene) }
        },
        pause(seconds: 1), pause(seconds: 12),
        Fault(
            name: "all-off", guarantee: "G9", about: "power-off of all nodes at once, all back after 1 s",
            lasts: .seconds(1), recovery: .seconds(90)
        ) { scene in
            try powerOff(scene.lab.nodes, scene)
            return Injury(what: "all nodes are off", nodes: scene.lab.nodes) { try powerOn(scene.lab.nodes, scene) }
        },
        Fault(
            name: "rolling-restart", guarantee: "G2",
            about: "SIGTERM to the watchdog of one node after the other, each started again and whole before the next",
            forksOnce: false, recovery: .seconds(90)
        ) { scene in
            for node in scene.lab.nodes {
                try restart(node, scene.lab)
                try scene.lab.waitUntilWhole(limit: .seconds(60))
            }
            return Injury(what: "all nodes restarted in turn", nodes: scene.lab.nodes)
        },
    ]

    /// G4.
    static let lossLimit = Duration.milliseconds(3500)

    /// In good order, as `systemctl restart` does it.
    static func restart(_ node: Int, _ lab: FaultLab) throws {
        try signal(SIGTERM, to: lab.pids("tarn-watchdog", on: node))
        let deadline = ContinuousClock.now + .seconds(30)
        while !lab.network.namespace(node).pids.isEmpty {
            guard ContinuousClock.now < deadline else {
                throw Failure(.product, "node \(node) does not stop within 30 s of SIGTERM")
            }
            usleep(20_000)
        }
        try lab.cluster.start(node)
    }

    private static func pause(seconds: Int) -> Fault {
        Fault(
            name: "node-pause-\(seconds)s", guarantee: "G4, G6",
            about: "SIGSTOP of all processes of a node, SIGCONT after \(seconds) s", lasts: .seconds(seconds),
            gapLimit: lossLimit, hitsNode: true
        ) { scene in
            let namespace = scene.lab.network.namespace(scene.node)
            let pids = namespace.pids
            try signal(SIGSTOP, to: pids)
            return Injury(what: "node \(scene.node) paused, \(pids.count) processes", nodes: [scene.node]) {
                for pid in pids { _ = kill(pid_t(pid), SIGCONT) }
            }
        }
    }

    /// The cable first: a machine without power sends no goodbye for its connections.
    private static func powerOff(_ nodes: [Int], _ scene: FaultScene) throws {
        for node in nodes { try scene.lab.network.setLink(node, isUp: false) }
        try NodeNetwork.end { nodes.flatMap { scene.lab.network.namespace($0).pids } }
    }

    private static func powerOn(_ nodes: [Int], _ scene: FaultScene) throws {
        for node in nodes { try scene.lab.network.setLink(node, isUp: true) }
        for node in nodes { try scene.lab.cluster.start(node) }
    }
}
