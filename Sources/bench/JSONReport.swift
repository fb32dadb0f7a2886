/// Every sample, for programs that read.
struct JSONReport {
    let results: Results

    var text: String {
        var lines: [String] = []
        for load in results.loads {
            for name in results.names[load] ?? [] {
                for sample in results.cell(load, name)?.samples ?? [] { lines.append(line(load, name, sample)) }
            }
        }
        return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
    }

    private func line(_ load: Load, _ name: SystemName, _ sample: Sample) -> String {
        var fields = [("load", "\"\(load.name)\""), ("system", "\"\(name.text)\"")]
        let numbers: [(String, Double, Int)] = [
            ("requests_per_second", sample.requestsPerSecond, 0), ("p50_us", sample.median, 1),
            ("p99_us", sample.p99, 1), ("p999_us", sample.p999, 1), ("cpu_us", sample.proxy, 4),
            ("cpu_user_us", sample.proxyUser, 4), ("generator_cpu_us", sample.generator, 4),
            ("generator_share", sample.generatorShare, 3), ("foreign_share", sample.foreign, 3),
            ("resident_bytes", sample.residentBytes, 0),
        ]
        fields += numbers.map { ($0.0, fixed($0.1, $0.2)) }
        if let calls = results.calls(load, name) { fields.append(("calls_per_request", fixed(calls, 4))) }
        return "{" + fields.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}"
    }
}
