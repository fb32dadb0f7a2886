/// The image of a node, made by running the installer on the release package.
struct NodeImage {
    let workspace: Workspace

    static let base = "debian:bookworm-slim"
    static let name = "tarn-node:dev"

    /// - Returns: The image's name.
    func build(release: Release, package: String) throws -> String {
        try ensureBase()
        let source = workspace.root + "/images/node"
        var inputs = Fingerprint()
        inputs.add(file: package)
        inputs.add(file: release.tarn)
        inputs.add(tree: source)
        let stamp = Stamp("node-image", workspace)
        if stamp.matches(inputs), try isPresent(Self.name) {
            Console.step("node image is up to date: \(Self.name)")
            return Self.name
        }
        Console.step("building the node image \(Self.name)")
        let context = workspace.build + "/image"
        try Files.remove(context)
        try Files.makeDirectory(context)
        for file in Files.list(source) { try Files.copy("\(source)/\(file)", to: "\(context)/\(file)") }
        try Files.copy(release.tarn, to: context + "/tarn")
        try Files.copy(package, to: context + "/tarn.tar.zst")
        var command = Command("docker", "build", "--tag", Self.name, context)
        command.limit = .seconds(600)
        command.onLine = { Console.progress($0) }
        try command.outputOrFail()
        try stamp.save(inputs)
        return Self.name
    }

    /// From a registry when one is reached, else made here of Debian's own packages.
    private func ensureBase() throws {
        if try isPresent(Self.base) { return }
        Console.step("fetching the base image \(Self.base)")
        var pull = Command("docker", "pull", "--quiet", Self.base)
        pull.limit = .seconds(120)
        if try pull.run().succeeded { return }
        Console.step("no registry answers: making \(Self.base) with mmdebstrap")
        let file = workspace.build + "/base-image.tar"
        // Slow mirrors have been seen to stall for ever; the second try usually goes through.
        for attempt in 1...2 {
            try Files.remove(file)
            var bootstrap = Command(
                "mmdebstrap", "--variant=minbase", "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm",
                file)
            bootstrap.limit = .seconds(420)
            bootstrap.onLine = { Console.progress($0) }
            let result = try bootstrap.run()
            if result.succeeded { break }
            guard attempt == 1 else {
                throw Failure(.environment, "no base image: \(bootstrap.failure(result).message)")
            }
        }
        try Command("docker", "import", file, Self.base).outputOrFail()
        try Files.remove(file)
    }

    private func isPresent(_ image: String) throws -> Bool {
        try Command("docker", "image", "inspect", "--format", "{{.Id}}", image).run().succeeded
    }
}
