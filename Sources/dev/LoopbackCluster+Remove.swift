import Glibc

extension LoopbackCluster {
    /// Uninstalls every node in order and removes the directory; nothing is left running. Fine to call again.
    func remove() throws {
        for node in nodes.reversed() { try uninstall(node) }
        try Files.remove(directory)
    }

    private func uninstall(_ node: Int) throws {
        let root = prefix(node)
        // The program that is being removed can't be the one that removes it: it runs from a copy.
        let copy = directory + "/tarn-for-uninstall"
        if Files.exists(tarn(node)) {
            try Files.copy(NodeProcesses.resolved(tarn(node)), to: copy)
            let result = try client.copied(to: copy).command(["uninstall", "--prefix", root, "--yes"]).run()
            if !result.succeeded {
                Console.error("             `tarn uninstall` of node \(node) failed; ending its processes instead:")
                Console.error("             \(result.errors.split(separator: "\n").last ?? "")")
            }
        }
        endLeftOvers(of: root)
        try Files.remove(root)
    }

    /// For a node whose installation never finished or whose uninstall failed.
    private func endLeftOvers(of root: String) {
        let processes = NodeProcesses(prefix: root)
        // The watchdog first, or it starts again what is ended here.
        for pid in processes.byProgram()["tarn-watchdog"] ?? [] { kill(pid_t(pid), SIGTERM) }
        let patience = ContinuousClock.now + .seconds(15)
        while !processes.pids.isEmpty, ContinuousClock.now < patience {
            if processes.byProgram()["tarn-watchdog"] == nil {
                for pid in processes.pids { kill(pid_t(pid), SIGTERM) }
            }
            usleep(50_000)
        }
        for pid in processes.pids { kill(pid_t(pid), SIGKILL) }
    }
}

extension TarnCommand {
    func copied(to path: String) -> TarnCommand { TarnCommand(program: path, environment: environment) }
}
