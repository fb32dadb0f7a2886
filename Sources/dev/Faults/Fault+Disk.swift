import Glibc

/// Disks that are full, and a cluster store whose data is rotten.
extension Fault {
    static let disks = [
        Fault(
            name: "disk-full", guarantee: "G5",
            about: "not one block is free where a node keeps its data; freed after 8 s", lasts: .seconds(8)
        ) { scene in
            try scene.lab.disk(scene.node).fill()
            return Injury(what: "the disk of node \(scene.node) is full", nodes: [scene.node]) {
                try scene.lab.disk(scene.node).free()
            }
        },
        Fault(
            name: "etcd-corrupt", guarantee: "G5",
            about: "one etcd member's log and database are overwritten and it is killed; its data put back after 5 s",
            lasts: .seconds(5)
        ) { scene in
            let pids = scene.lab.pids("etcd", on: scene.node)
            // What it wrote up to here is put back in the end, so it must write nothing more.
            try signal(SIGSTOP, to: pids)
            let data = scene.lab.cluster.prefix(scene.node) + "/var/lib/tarn/etcd"
            let saved = scene.lab.cluster.prefix(scene.node) + ".etcd"
            try Files.copy(data, to: saved)
            for file in Files.tree(data) where file.hasSuffix(".wal") || file.hasSuffix("/db") {
                try overwrite("\(data)/\(file)")
            }
            try signal(SIGKILL, to: pids)
            return Injury(what: "the store of node \(scene.node) is corrupt") {
                // In place and with nobody at it: a member that runs holds these files open.
                let watchdog = scene.lab.pids("tarn-watchdog", on: scene.node)
                try signal(SIGSTOP, to: watchdog)
                defer { for pid in watchdog { _ = kill(pid_t(pid), SIGCONT) } }
                try NodeNetwork.end { scene.lab.pids("etcd", on: scene.node) }
                for name in Files.list(data) { try Files.remove("\(data)/\(name)") }
                for name in Files.list(saved) { try Files.copy("\(saved)/\(name)", to: "\(data)/\(name)") }
                try Files.remove(saved)
            }
        },
    ]

    /// The middle of the file, so that its beginning still looks right.
    private static func overwrite(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(.environment, "\(path) can't be opened") }
        defer { close(descriptor) }
        let noise = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 13) }
        for offset in [4096, 8192, 65536, 131_072] { _ = pwrite(descriptor, noise, noise.count, off_t(offset)) }
    }
}
