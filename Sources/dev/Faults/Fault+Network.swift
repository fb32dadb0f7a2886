/// Parts of the network that don't carry what they should. Clients reach every node, also one that is cut off from its
/// peers: the hardest case, because it could go on taking their writes.
extension Fault {
    static let cuts = [
        cut("partition", .both, "no packet passes between one node and the others"),
        cut("partition-in", .into, "nothing reaches one node from the others, what it sends arrives"),
        cut("partition-out", .outOf, "nothing that one node sends reaches the others, it still hears them"),
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
