/// `dev faults`: a cluster with addresses of its own, faults one after the other under load, a table of what clients
/// saw.
struct FaultsVerb {
    private let workspace: Workspace
    private let faults: [Fault]
    private let kinds: [DatabaseKind]
    private let runs: Int
    private let nodes: Int
    private let network: NodeNetwork
    private let isApproved: Bool
    private let packageFile: String?
    private let isListing: Bool

    init(_ arguments: Arguments) throws {
        workspace = try Workspace.find()
        faults = try Fault.named(arguments.value("only"))
        runs = try arguments.number("runs", in: 1...1000) ?? 3
        nodes = try arguments.number("nodes", in: 3...9) ?? 3
        network = NodeNetwork(network: arguments.value("network") ?? NodeNetwork.standard)
        isApproved = arguments.has("yes")
        packageFile = arguments.value("package")
        isListing = arguments.has("list")
        let names = arguments.value("databases")?.split(separator: ",").map(String.init)
        kinds = names.map { names in DatabaseKind.all.filter { names.contains($0.name) } } ?? DatabaseKind.usual
        let unknown = (names ?? []).filter { name in !DatabaseKind.all.contains { $0.name == name } }
        guard unknown.isEmpty else {
            throw Failure(
                .usage,
                "--databases \(unknown.joined(separator: ",")): there are "
                    + DatabaseKind.all.map(\.name).joined(separator: ", "))
        }
    }

    func run() throws {
        if isListing { return Console.out(Fault.list) }
        if let problem = NetworkNamespace.problem { throw Failure(.environment, problem) }
        let release = Release(workspace: workspace)
        let package = try packageFile ?? release.make(isApproved: isApproved)
        var table = FaultTable()
        var failures: [String] = []
        defer { if !table.isEmpty { Console.out(table.markdown) } }
        // In turn, each once a round: a program that is killed again and again is started later and later.
        // A cluster that a fault left broken is made anew for the next.
        var rest = (0..<runs).flatMap { number in faults.map { ($0, number) } }[...]
        var serial = 0
        while !rest.isEmpty {
            try FaultLab.with(
                directory: directory, network: network, nodes: nodes, kinds: kinds, tarn: tarn(package, release),
                package: package
            ) { lab in
                Console.step("databases: \(lab.databases.map(\.kind.name).joined(separator: ", "))")
                while let (fault, number) = rest.popFirst() {
                    guard try fault.isThere(lab) else {
                        Console.step("\(fault.name): not in this release")
                        rest.removeAll { $0.0.name == fault.name }
                        continue
                    }
                    serial += 1
                    let result: FaultRun.Result
                    do {
                        result = try FaultRun(lab: lab, fault: fault, number: number, serial: serial).run()
                    } catch let failure as Failure where failure.code != .interrupted {
                        failures.append("\(fault.name) \(number + 1): \(failure.message)")
                        Console.step("\(fault.name) \(number + 1): \(failure.message)")
                        try FaultStory.keep(lab, in: "\(stories)/\(fault.name)-\(serial).logs")
                        break
                    }
                    for outcome in result.outcomes { table.add(outcome) }
                    try tell(result, fault, number, serial, lab)
                    if let failure = result.failure {
                        failures.append("\(fault.name) \(number + 1): \(failure)")
                        break
                    }
                }
            }
        }
        for failure in failures { Console.error("failed: \(failure)") }
        if !failures.isEmpty { throw TestsFailed() }
    }

    private var directory: String { workspace.build + "/faults/cluster" }
    private var stories: String { workspace.build + "/faults/stories" }

    /// A release is two files that lie side by side.
    private func tarn(_ package: String, _ release: Release) -> String {
        guard packageFile != nil else { return release.tarn }
        return String(package.prefix { _ in true }.dropLast(package.split(separator: "/").last?.count ?? 0)) + "tarn"
    }

    private func tell(
        _ result: FaultRun.Result, _ fault: Fault, _ number: Int, _ serial: Int, _ lab: FaultLab
    ) throws {
        let parts = result.outcomes.map { outcome in
            let gap = [outcome.gap, outcome.hitGap].map { $0.map { "\($0 / 1_000_000)" } ?? "-" }.joined(separator: "/")
            let errors = outcome.errors.values.reduce(0, +)
            var text = "\(outcome.kind.name) gap \(gap) ms, \(errors) errors, \(outcome.report.lost.count) lost"
            if outcome.fault != fault.name { text += ", primaries elsewhere" }
            if !outcome.report.isConsistent { text += ", INCONSISTENT" }
            return text
        }
        let whole = result.outcomes.first?.wholeAfter.map { "whole after \($0.tenths) s" } ?? "NOT WHOLE"
        Console.step("\(fault.name) \(number + 1): \(result.what); \(whole)")
        for part in parts { Console.error("             \(part)") }
        let isOdd = result.outcomes.contains { !$0.report.isConsistent || !$0.report.lost.isEmpty }
        guard isOdd || result.isSlow || result.failure != nil else { return }
        try FaultStory(result: result, fault: fault.name, serial: serial).write(to: stories, lab)
        Console.error("             kept in \(stories)/\(fault.name)-\(serial).txt")
    }
}
