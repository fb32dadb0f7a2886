@testable import dev

/// The libraries in a virtual environment of their own, kept from one run to the next.
struct PythonClients {
    private let directory: String
    private static let packages = ["redis", "valkey-glide", "valkey-glide-sync"]

    init() throws { directory = try Workspace.find().build + "/python-clients" }

    /// - Returns: The Python that has them.
    func prepared() throws -> String {
        let python = directory + "/bin/python"
        guard try !hasAll(python) else { return python }
        Console.step("installing \(Self.packages.joined(separator: ", ")) for the client tests")
        var make = Command("python3", "-m", "venv", directory)
        var install = Command([python, "-m", "pip", "install", "--quiet"] + Self.packages)
        make.limit = .seconds(60)
        install.limit = .seconds(180)
        do {
            try make.outputOrFail()
            try install.outputOrFail()
        } catch let failure as Failure {
            let byHand = (["python3 -m venv \(directory) && \(python) -m pip install"] + Self.packages)
                .joined(separator: " ")
            throw Failure(.environment, "the client libraries are missing. Run:\n  \(byHand)\n\(failure.message)")
        }
        return python
    }

    private func hasAll(_ python: String) throws -> Bool {
        guard Files.exists(python) else { return false }
        return try Command(python, "-c", "import redis, glide, glide_sync").run().succeeded
    }
}
