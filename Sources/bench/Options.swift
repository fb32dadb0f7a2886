import Glibc

/// The command line of `bench`; `dev bench` hands its own on.
struct Options {
    enum Part: String, CaseIterable { case loads, memory, flat, allocations, durability, rest }

    static let usage = """
        usage: dev bench proxy [PART...] [options]

        Parts (loads): loads        throughput, latency, CPU of every system under every load, and the ratios
                       memory       bytes for each of 10,000 idle connections
                       flat         CPU per request by shards, databases, connections
                       allocations  calls of malloc in steady state
                       durability   writes that wait for a replica beside writes that don't
                       rest         CPU without traffic

          --quick             fewer loads, shorter: two minutes
          --full              every load, all parts
          --rounds N          how often each load meets each system (3)
          --seconds S         length of one run, decimals allowed (1; quick: 0.5)
          --loads A,B         names such as get-64-p16-c50 or set-1024-p1-c500-r5000
          --systems A,B       names such as tarn/2, haproxy/1, nutcracker-unix/2, direct/1
          --predixy PATH      compares with this predixy, too
          --threads N         threads of the load generator (1)
          --json FILE         every sample, as JSON
          --network 127.0.X   its loopback addresses (127.0.23)
          --yes               install Debian packages without asking
        """

    var parts: [Part] = []
    var isQuick = false
    var isFull = false
    var rounds = 3
    var window = 1_000_000_000
    var loads: [Load]?
    var systems: [SystemName]?
    var predixy: String?
    var threads = 1
    var json: String?
    var network = "127.0.23"
    /// Where `tarn-proxy` is.
    var programs = "."
    /// For configurations, logs and sockets.
    var directory = "."

    init(_ arguments: [String]) throws(BenchFailure) {
        var rest = arguments[...]
        var seconds: Double?
        while let argument = rest.popFirst() {
            switch argument {
            case "proxy": continue
            case "--quick": isQuick = true
            case "--full": isFull = true
            case "--rounds": rounds = try Self.number(argument, &rest, 1...100)
            case "--seconds": seconds = Double(try Self.value(argument, &rest))
            case "--threads": threads = try Self.number(argument, &rest, 1...64)
            case "--predixy": predixy = try Self.value(argument, &rest)
            case "--json": json = try Self.value(argument, &rest)
            case "--network": network = try Self.value(argument, &rest)
            case "--programs": programs = try Self.value(argument, &rest)
            case "--directory": directory = try Self.value(argument, &rest)
            case "--loads": loads = try Self.names(argument, &rest) { Load($0) }
            case "--systems": systems = try Self.names(argument, &rest) { SystemName($0) }
            default:
                guard let part = Part(rawValue: argument) else { throw BenchFailure("\(argument)?\n\n\(Self.usage)") }
                parts.append(part)
            }
        }
        if parts.isEmpty { parts = isFull ? Part.allCases : [.loads] }
        window = Int((seconds ?? (isQuick ? 0.5 : 1)) * 1e9)
        guard window >= 50_000_000 else { throw BenchFailure("--seconds: give at least 0.05") }
    }

    private static func value(_ name: String, _ rest: inout ArraySlice<String>) throws(BenchFailure) -> String {
        guard let value = rest.popFirst() else { throw BenchFailure("\(name) needs a value\n\n\(usage)") }
        return value
    }

    private static func number(
        _ name: String, _ rest: inout ArraySlice<String>, _ range: ClosedRange<Int>
    ) throws(BenchFailure) -> Int {
        guard let number = Int(try value(name, &rest)), range.contains(number) else {
            throw BenchFailure("\(name): give a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func names<Name>(
        _ name: String, _ rest: inout ArraySlice<String>, _ read: (String) -> Name?
    ) throws(BenchFailure) -> [Name] {
        var found: [Name] = []
        for word in try value(name, &rest).split(separator: ",") {
            guard let item = read(String(word)) else { throw BenchFailure("\(name): what is \(word)?\n\n\(usage)") }
            found.append(item)
        }
        return found
    }
}
