import HostControl
import NodeLayout

/// The one systemd unit of a server, and the user its processes run as.
struct ServiceUnit {
    static let name = "tarn.service"
    static let user = "tarn"

    let paths: NodePaths

    /// The watchdog stops its children in order when it is asked to, and children must outlive its crash: so systemd
    /// signals the main process only (KillMode=process), and waits longer than the slowest orderly stop.
    var text: String {
        """
        [Unit]
        Description=Tarn, a cluster of Redis databases
        Documentation=file:\(paths.current)/share
        After=network-online.target
        Wants=network-online.target

        [Service]
        Type=simple
        User=\(Self.user)
        Group=\(Self.user)
        ExecStart=\(paths.program("tarn-watchdog")) --prefix \(paths.prefix)
        Restart=always
        RestartSec=200ms
        KillMode=process
        TimeoutStopSec=120
        LimitNOFILE=1048576
        LimitCORE=0
        TasksMax=infinity
        Delegate=yes
        OOMScoreAdjust=-900
        RuntimeDirectory=tarn
        RuntimeDirectoryMode=0755
        RuntimeDirectoryPreserve=yes
        AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_SYS_RESOURCE
        NoNewPrivileges=yes
        ProtectSystem=full
        ProtectHome=yes

        [Install]
        WantedBy=multi-user.target

        """
    }

    /// Makes the system user that owns data and processes, unless there is one of that name.
    ///
    /// - Returns: Whether it was made.
    static func ensureUser() throws -> Bool {
        if try Subprocess.run("id", ["-u", user]).status == 0 { return false }
        let outcome = try Subprocess.run(
            "useradd",
            [
                "--system", "--user-group", "--home-dir", "/var/lib/tarn", "--no-create-home",
                "--shell", "/usr/sbin/nologin", user,
            ])
        guard outcome.status == 0 else {
            throw InstallerError(.service, "Cannot make the user \(user): \(outcome.output)")
        }
        return true
    }

    /// Gives the directories that the node writes to, with all in them, to the user.
    func giveToUser() throws {
        let places = [paths.data, paths.logs, paths.run]
        let outcome = try Subprocess.run("chown", ["-R", "\(Self.user):\(Self.user)"] + places)
        guard outcome.status == 0 else {
            throw InstallerError(.service, "Cannot give the data to the user \(Self.user): \(outcome.output)")
        }
    }

    /// Writes the unit where it differs, and starts it now and at every boot.
    func enable() throws {
        if HostFile.text(paths.systemdUnit).map({ $0 + "\n" }) != text {
            try HostFile.write(text.utf8, to: paths.systemdUnit, mode: 0o644)
            try control(["daemon-reload"])
        }
        try control(["enable", "--now", Self.name])
    }

    func disable() throws {
        guard HostFile.exists(paths.systemdUnit) else { return }
        try control(["disable", "--now", Self.name])
    }

    private func control(_ arguments: [String]) throws {
        let outcome = try Subprocess.run("systemctl", arguments, timeout: .seconds(180))
        guard outcome.status == 0 else {
            throw InstallerError(
                .service,
                "`systemctl \(arguments.joined(separator: " "))` failed: \(outcome.output)"
                    + "See `journalctl -u \(Self.name)`.")
        }
    }
}
