/// Parts of the network that don't carry what they should. Clients reach every node, also one that is cut off from its
/// peers: the hardest case, because it could go on taking their writes.
extension Fault {
    static let cuts = [
        cut("partition", .both, "no packet passes between one node and the others"),
        cut("partition-in", .into, "nothing reaches one node from the others, what it sends arrives"),
        cut("partition-out", .outOf, "nothing that one node sends reaches the others, it still hears them"),
        storeCut("store-partition", .both, "as `partition`, of the node whose member leads the store"),
        storeCut("store-partition-in", .into, "as `partition-in`, of the node whose member leads the store"),
        storeCut("store-partition-out", .outOf, "as `partition-out`, of the node whose member leads the store"),
        Fault(
            name: "pair-cut", guarantee: "G5, G6",
            about: "no packet passes between two nodes; the third sees both; healed after 8 s", lasts: .seconds(8),
            gapLimit: lossLimit, hitsNode: true
        ) { scene in
            let other = scene.others[0]
            try scene.lab.network.cut(scene.node, from: [other], .both)
            return Injury(what: "nodes \(scene.node) and \(other) don't see each other", nodes: [scene.node, other]) {
                try scene.lab.network.heal(scene.node)
            }
        },
        Fault(
            name: "unplugged", guarantee: "G4", about: "a node's cable is out, for peers and clients; back after 8 s",
            lasts: .seconds(8), gapLimit: lossLimit, hitsNode: true
        ) { scene in
            try scene.lab.network.setLink(scene.node, isUp: false)
            return Injury(what: "node \(scene.node) is unplugged", nodes: [scene.node]) {
                try scene.lab.network.setLink(scene.node, isUp: true)
            }
        },
    ]

    private static func storeCut(_ name: String, _ direction: NodeNetwork.Direction, _ about: String) -> Fault {
        let cut = cut(name, direction, about)
        return Fault(
            name: cut.name, guarantee: cut.guarantee, about: cut.about, lasts: cut.lasts, gapLimit: cut.gapLimit,
            hitsNode: true
        ) { scene in
            // There, where the primaries are: a cut elsewhere is no test.
            try scene.lab.makeStoreLeader(scene.node)
            return try cut.inject(scene)
        }
    }

    private static func cut(_ name: String, _ direction: NodeNetwork.Direction, _ about: String) -> Fault {
        Fault(
            name: name, guarantee: "G4, G6", about: about + "; healed after 8 s", lasts: .seconds(8),
            gapLimit: lossLimit, hitsNode: true
        ) { scene in
            try scene.lab.network.cut(scene.node, from: scene.others, direction)
            return Injury(what: "\(name) of node \(scene.node)", nodes: [scene.node]) {
                try scene.lab.network.heal(scene.node)
            }
        }
    }
}
