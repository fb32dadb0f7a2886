import Glibc

/// The Debian packages that a job needs, each with its reason.
struct DebianPackages {
    let needed: [(name: String, why: String)]

    static let forBuilding = DebianPackages(needed: [
        ("libssl-dev", "TLS of all programs"),
        ("libarchive-dev", "reading and writing the release package"),
        ("libzstd-dev", "its compression, linked into `tarn`"),
        ("libpcre2-dev", "regular expressions of key rules, linked into proxy and manager"),
    ])
    static let forPackaging = DebianPackages(needed: [
        ("redis-server", "the shards: goes into the release package"),
        ("etcd-server", "the cluster store: goes into the release package"),
        ("binutils", "strips the programs"),
    ])
    static let forData = DebianPackages(needed: [
        ("redis-tools", "redis-cli loads the sample data"),
        ("iso-codes", "sample data: languages, countries, subdivisions"),
        ("wamerican", "sample data: 100,000 words"),
    ])
    static let forTests = DebianPackages(needed: [
        ("openssl", "an independent judge of our certificates"),
        ("python3-venv", "the client libraries that are tried against an endpoint"),
    ])
    static let forBenchmarks = DebianPackages(needed: [
        ("haproxy", "a relay to compare the proxy with"),
        ("nutcracker", "twemproxy, to compare the proxy with"),
        ("linux-perf", "counts system calls and allocations"),
    ])
    static let forContainers = DebianPackages(needed: [
        ("docker.io", "container tests"),
        ("docker-compose", "container tests"),
        ("mmdebstrap", "makes the base image where no registry is reached"),
        ("iptables", "the network of the containers"),
    ])

    static func + (left: DebianPackages, right: DebianPackages) -> DebianPackages {
        DebianPackages(needed: left.needed + right.needed)
    }

    /// Installs what is missing, after saying what and why. The services in them are never started.
    ///
    /// - Throws: ``Failure`` with the command to type when dev may not install.
    func ensure(isApproved: Bool) throws {
        let absent = try missing()
        guard !absent.isEmpty else { return }
        Console.step("Debian packages to install:")
        for package in absent { Console.error("             \(package.name): \(package.why)") }
        let names = absent.map(\.name)
        let byHand = "sudo apt-get install --no-install-recommends \(names.joined(separator: " "))"
        guard let privilege = try Privilege.available() else {
            throw Failure(.environment, "packages are missing, and only root may install them. Run:\n  \(byHand)")
        }
        // Without a terminal nobody can be asked, and CI could not go on; saying so has to do.
        if !isApproved, isatty(STDIN_FILENO) == 1, !Console.confirms("install them now?") {
            throw Failure(.environment, "packages are missing. Run:\n  \(byHand)")
        }
        try install(names, privilege)
        let stillAbsent = try missing().map(\.name)
        guard stillAbsent.isEmpty else {
            throw Failure(.environment, "apt-get ended well, yet these are missing: \(stillAbsent)")
        }
    }

    private func missing() throws -> [(name: String, why: String)] {
        let query: Command.Result
        do {
            query = try Command(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"] + needed.map(\.name))
                .run()
        } catch let failure where failure is Failure {
            let names = needed.map(\.name).joined(separator: " ")
            throw Failure(
                .environment, "dev installs packages on Debian and Ubuntu only. Here, provide what they hold: \(names)")
        }
        let installed = Set(
            query.output.split(separator: "\n").compactMap { line -> Substring? in
                line.hasPrefix("installed ") ? line.dropFirst(10) : nil
            })
        return needed.filter { !installed.contains($0.name[...]) }
    }

    private func install(_ names: [String], _ privilege: Privilege) throws {
        let hold = try ServiceHold(privilege)
        defer { hold.release() }
        let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", "-q"]
        Console.step("apt-get update")
        let update = try privilege.command(apt + ["update"]).run()
        if !update.succeeded {
            Console.error("             it failed; going on with the package lists that are here")
        }
        Console.step("apt-get install \(names.joined(separator: " "))")
        var command = privilege.command(apt + ["install", "-y", "--no-install-recommends"] + names)
        command.onLine = { Console.progress($0) }
        try command.outputOrFail()
        ServiceHold.leaveStopped(unitsOf: names, privilege)
    }
}
