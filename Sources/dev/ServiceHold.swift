import Glibc

/// Keeps package installation from starting services: Tarn brings its own redis-server and etcd processes, and the
/// distribution's would take ports and memory without anybody having asked.
///
/// Debian asks `policy-rc.d` before it starts a service; 101 means no. A file already there is put back afterwards.
struct ServiceHold {
    private static let path = "/usr/sbin/policy-rc.d"
    private static let saved = "/usr/sbin/policy-rc.d.saved-by-tarn-dev"
    private static let mark = "# Made by tarn's dev for the time of one apt-get; remove it if you find it."
    private let cleanUp: Int

    init(_ privilege: Privilege) throws {
        // One of ours that stands here was left by a dev that was killed: nothing to save then.
        let isOurs = Files.text(Self.path)?.contains(Self.mark) ?? false
        if Files.exists(Self.path), !isOurs {
            try privilege.command(["mv", Self.path, Self.saved]).outputOrFail()
        }
        let script = "printf '#!/bin/sh\\n%s\\nexit 101\\n' \"$1\" > \"$2\" && chmod 755 \"$2\""
        cleanUp = CleanUp.register {
            _ = try? privilege.command(["rm", "-f", Self.path]).run()
            if Files.exists(Self.saved) { _ = try? privilege.command(["mv", Self.saved, Self.path]).run() }
        }
        try privilege.command(["sh", "-c", script, "sh", Self.mark, Self.path]).outputOrFail()
    }

    func release() { CleanUp.runNow(cleanUp) }

    /// A package enables its units for the next boot even when it may not start them. Only packages that dev has just
    /// installed are treated: a redis-server that was here before belongs to somebody.
    static func leaveStopped(unitsOf packages: [String], _ privilege: Privilege) {
        let units = [
            "redis-server": "redis-server.service", "etcd-server": "etcd.service", "haproxy": "haproxy.service",
            "nutcracker": "nutcracker.service",
        ]
        for unit in packages.compactMap({ units[$0] }) where Files.exists("/usr/bin/systemctl") {
            _ = try? privilege.command(["systemctl", "disable", unit]).run()
            if Files.isDirectory("/run/systemd/system") {
                _ = try? privilege.command(["systemctl", "stop", unit]).run()
            }
        }
    }
}
