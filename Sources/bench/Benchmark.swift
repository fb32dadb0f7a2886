import Glibc

/// The parts that were asked for, one after the other.
struct Benchmark {
    private let options: Options
    private let systems: Systems

    init(_ options: Options) {
        self.options = options
        systems = Systems(options)
    }

    func run() throws(BenchFailure) {
        signal(SIGPIPE, SIG_IGN)
        raiseDescriptorLimit()
        Files.makeDirectory(options.directory)
        Console.out(Self.machine + "\n")
        for part in options.parts {
            switch part {
            case .loads: try loads()
            case .memory: try MemoryPart(systems: systems).run()
            case .flat: try FlatPart(systems: systems).run()
            case .allocations: try AllocationsPart(systems: systems).run()
            case .durability: try DurabilityPart(systems: systems).run()
            case .rest: try RestPart(systems: systems).run()
            }
        }
    }

    private func loads() throws(BenchFailure) {
        var part = LoadsPart(options, systems)
        try part.run()
        Report(results: part.results).print()
        if let path = options.json { try Files.write(JSONReport(results: part.results).text, to: path) }
    }

    /// 10,000 connections of a relay are 20,000 descriptors; the children inherit the limit.
    private func raiseDescriptorLimit() {
        var limit = rlimit(rlim_cur: 65536, rlim_max: 65536)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        if setrlimit(resource, &limit) == 0 { return }
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }

    private static var machine: String {
        var name = utsname()
        uname(&name)
        let kernel = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let model = (Files.read("/proc/cpuinfo") ?? "").split(separator: "\n").first { $0.hasPrefix("model name") }
        let processor = model?.split(separator: ":").last.map { $0.drop { $0 == " " } } ?? "?"
        let load = (Files.read("/proc/loadavg") ?? "").split(separator: " ").prefix(3).joined(separator: " ")
        return "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors (\(processor)), Linux \(kernel), load \(load)"
    }
}
