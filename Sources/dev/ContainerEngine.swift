import Glibc

/// A Docker engine for tests: the machine's own where one answers, else one that dev starts for the time of its run.
final class ContainerEngine {
    private let data: String
    /// Short, because sockets below it have to fit in 108 bytes.
    private static let runtime = "/run/tarn-dev-docker"
    private var cleanUp: Int?

    init(workspace: Workspace) { data = workspace.build + "/docker" }

    /// - Throws: ``Failure`` `.environment` with the reason when there can be no engine here.
    func ensureRunning() throws {
        if answers() { return }
        // An engine of dev's own is reached by an address of its own; everything dev runs inherits it.
        setenv("DOCKER_HOST", "unix://\(Self.runtime)/docker.sock", 1)
        if answers() { return }
        guard geteuid() == 0 else {
            unsetenv("DOCKER_HOST")
            throw Failure(
                .environment, "no Docker engine answers, and only root may start one: `sudo systemctl start docker`")
        }
        Console.step("starting a Docker engine for the container tests")
        try mountControlGroups()
        try Files.makeDirectory(Self.runtime)
        try start()
    }

    func stopIfOurs() {
        if let cleanUp { CleanUp.runNow(cleanUp) }
        cleanUp = nil
    }

    private func answers() -> Bool {
        var command = Command("docker", "version", "--format", "{{.Server.Version}}")
        command.limit = .seconds(10)
        return (try? command.run().succeeded) ?? false
    }

    private func start() throws {
        let log = Self.runtime + "/dockerd.log"
        var spawn = Spawn(arguments: [
            "dockerd", "--host", "unix://\(Self.runtime)/docker.sock", "--data-root", data,
            "--exec-root", Self.runtime + "/exec", "--pidfile", Self.runtime + "/dockerd.pid",
        ])
        spawn.descriptors = [
            .open("/dev/null", O_RDONLY), .open(log, O_WRONLY | O_CREAT | O_TRUNC),
            .open(log, O_WRONLY | O_CREAT | O_APPEND),
        ]
        // A session of its own: Ctrl-C must reach it after the containers have been removed, not before.
        spawn.isDaemon = true
        let pid = try spawn.start()
        cleanUp = CleanUp.register { Self.end(pid) }
        let deadline = ContinuousClock.now + .seconds(60)
        while !answers() {
            try Interruption.check()
            var status: Int32 = 0
            let hasEnded = waitpid(pid, &status, WNOHANG) == pid
            guard !hasEnded, ContinuousClock.now < deadline else {
                let said = Files.text(log)?.split(separator: "\n").suffix(5).joined(separator: "\n  ") ?? ""
                throw Failure(.environment, "dockerd does not come up:\n  \(said)")
            }
            usleep(200_000)
        }
    }

    private static func end(_ pid: pid_t) {
        kill(pid, SIGTERM)
        let deadline = ContinuousClock.now + .seconds(20)
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            if ContinuousClock.now > deadline { kill(pid, SIGKILL) }
            usleep(50_000)
        }
    }

    /// A machine without init has no control groups mounted, and no container starts without.
    private func mountControlGroups() throws {
        guard Files.list("/sys/fs/cgroup").isEmpty else { return }
        let script = """
            set -e
            mount -t tmpfs cgroup /sys/fs/cgroup
            for c in $(awk 'NR>1 && $4==1 {print $1}' /proc/cgroups) ; do
              mkdir -p /sys/fs/cgroup/$c
              mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c || rmdir /sys/fs/cgroup/$c
            done
            mkdir -p /sys/fs/cgroup/systemd
            mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd || true
            """
        let result = try Command("sh", "-c", script).run()
        guard result.succeeded else {
            throw Failure(.environment, "control groups can't be mounted here: \(result.errors)")
        }
    }
}
