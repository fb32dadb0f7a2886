/// The release: programs, then the package, each made again only when what goes into it has changed.
struct Release {
    let workspace: Workspace

    /// The four programs and the package, up to date.
    ///
    /// - Returns: Path of the package.
    @discardableResult
    func make(isApproved: Bool) throws -> String {
        try (DebianPackages.forBuilding + .forPackaging).ensure(isApproved: isApproved)
        try buildPrograms()
        return try buildPackage()
    }

    /// A release is two files: the package and, beside it, the program that unpacks it and trusts its signature.
    var tarn: String { workspace.package + "/tarn" }

    private var programPaths: [String] { Workspace.programNames.map { "\(workspace.programs)/\($0)" } }

    private func buildPrograms() throws {
        let compiler = try SwiftBuild.checkCompiler()
        let stamp = Stamp("programs", workspace)
        // Taken before the build: a file edited during it makes the next run build again.
        let inputs = programInputs(compiler)
        if stamp.matches(inputs), programPaths.allSatisfy(Files.exists) {
            Console.step("release programs are up to date")
            return
        }
        Console.step("building release programs (from nothing this takes some minutes)")
        let started = ContinuousClock.now
        // SwiftPM builds one product or all of them; all would be dev and TestSupport, too. The largest goes first, so
        // that little is left for the others.
        for product in ["tarn-manager", "tarn", "tarn-proxy", "tarn-watchdog"] {
            try SwiftBuild(
                workspace: workspace, name: "release-\(product)",
                arguments: [
                    "-c", "release", "--static-swift-stdlib", "--scratch-path", workspace.release,
                    "--product", product,
                ]
            ).run()
            Console.step("  \(product): \(Files.size("\(workspace.programs)/\(product)") >> 20) MB")
        }
        try stamp.save(inputs)
        Console.step("release programs built in \((ContinuousClock.now - started).tenths) s")
    }

    private func programInputs(_ compiler: String) -> Fingerprint {
        var inputs = Fingerprint()
        inputs.add(compiler)
        inputs.add(file: workspace.root + "/Package.swift")
        for target in Files.list(workspace.root + "/Sources")
        where !["dev", "bench", "Simulator", "simulate"].contains(target) {
            inputs.add(tree: "\(workspace.root)/Sources/\(target)")
        }
        return inputs
    }

    private func buildPackage() throws -> String {
        var inputs = Fingerprint()
        for path in programPaths + ["/usr/bin/redis-server", "/usr/bin/redis-check-rdb", "/usr/bin/etcd"] {
            inputs.add(file: path)
        }
        let stamp = Stamp("package", workspace)
        if stamp.matches(inputs), let package = packageFile, Files.exists(tarn) {
            Console.step("release package is up to date: \(package)")
            return package
        }
        Console.step("packing the release")
        let started = ContinuousClock.now
        try Files.remove(workspace.package)
        try Files.makeDirectory(workspace.package)
        var command = Command(
            "\(workspace.programs)/tarn", "package", "build", "--programs", workspace.programs,
            "--output", workspace.package, "--json")
        // A key of this checkout signs what is built here, not the one that the developer signs releases with.
        command.environment["HOME"] = workspace.build + "/dev-home"
        try command.outputOrFail()
        guard let package = packageFile, Files.exists(tarn) else {
            throw Failure(.product, "`tarn package build` ended well, but left no release in \(workspace.package)")
        }
        try stamp.save(inputs)
        let size = "\(Files.size(package) / 1_048_576) MB"
        Console.step("\(package): \(size), made in \((ContinuousClock.now - started).tenths) s")
        return package
    }

    private var packageFile: String? {
        Files.list(workspace.package).last { $0.hasPrefix("tarn-") && $0.hasSuffix(".tar.zst") }
            .map { "\(workspace.package)/\($0)" }
    }
}
