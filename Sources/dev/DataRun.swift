/// Loads the sample data through an endpoint and reads all of it back.
struct DataRun {
    let endpoint: Endpoint
    /// Where the command stream may lie for the time of the load.
    let directory: String

    /// Pipelined commands of one turn while reading.
    private static let batch = 100

    /// - Throws: ``Failure`` at the first error, or when a value does not come back as it went in.
    func run(_ data: SampleData) throws {
        let counts = data.counts
        Console.step("loading \(counts.strings) strings, \(counts.hashes) hashes, \(counts.sets) sets with redis-cli")
        try load(data)
        try readBack(data)
    }

    /// Whether data loaded earlier is still there, by a sample: memory does not survive every kind of repair.
    func isThere(_ data: SampleData) throws -> Bool {
        let client = try RESPClient(host: endpoint.host, port: endpoint.port, password: endpoint.password)
        let step = max(1, data.entries.count / 200)
        let sample = stride(from: 0, to: data.entries.count, by: step).map { data.entries[$0] }
        let replies = try client.send(sample.map { SampleData.readCommand($0.key, $0.value) })
        return zip(sample, replies).allSatisfy { SampleData.matches($0.value, $1) }
    }

    private func load(_ data: SampleData) throws {
        let (bytes, commandCount) = data.stream()
        let path = directory + "/sample-data.resp"
        try Files.write(bytes, to: path)
        defer { try? Files.remove(path) }
        var command = Command("redis-cli", "-h", endpoint.host, "-p", String(endpoint.port), "--pipe")
        if !endpoint.password.isEmpty { command.environment["REDISCLI_AUTH"] = endpoint.password }
        command.input = .file(path)
        command.limit = .seconds(120)
        let result = try command.run()
        // redis-cli ends with this line; its exit code alone does not tell of errors in replies.
        guard result.succeeded, result.output.contains("errors: 0, replies: \(commandCount)") else {
            throw command.failure(result)
        }
        let rate = Int(Double(commandCount) / result.duration.inSeconds)
        Console.step(
            "wrote \(commandCount) commands, \(bytes.count >> 10) KiB, in \(result.duration.tenths) s: \(rate)/s")
    }

    private func readBack(_ data: SampleData) throws {
        let client = try RESPClient(host: endpoint.host, port: endpoint.port, password: endpoint.password)
        let started = ContinuousClock.now
        var wrong: [String] = []
        for start in stride(from: 0, to: data.entries.count, by: Self.batch) {
            try Interruption.check()
            let part = data.entries[start..<min(start + Self.batch, data.entries.count)]
            let replies = try client.send(part.map { SampleData.readCommand($0.key, $0.value) })
            for (entry, reply) in zip(part, replies) where !SampleData.matches(entry.value, reply) {
                wrong.append("\(entry.key): \(String(describing: reply).prefix(120))")
            }
        }
        guard wrong.isEmpty else {
            let shown = wrong.prefix(5).joined(separator: "\n  ")
            throw Failure(.product, "\(wrong.count) of \(data.entries.count) keys came back wrong:\n  \(shown)")
        }
        let duration = ContinuousClock.now - started
        let rate = Int(Double(data.entries.count) / duration.inSeconds)
        Console.step("read all \(data.entries.count) keys back, every value equal, in \(duration.tenths) s: \(rate)/s")
    }
}
