import Glibc
import Primitives
import ProxyFuzz
import Synchronization

// `tarn-fuzz [--minutes N] [--seed N] [--target T]`: hostile bytes for what reads them in the proxy, until something
// gives way. Not installed; `swift run dev fuzz` builds and runs it.

/// What is tried right now, for the last words after a crash.
let currentSeed = Atomic<UInt64>(0)
let currentTarget = Atomic<Int>(0)

func lastWords(_ signal: Int32) {
    var line = "crashed: --target \(FuzzTarget.allCases[currentTarget.load(ordering: .relaxed)].rawValue)"
    line += " --seed \(currentSeed.load(ordering: .relaxed))\n"
    _ = line.withUTF8 { write(2, $0.baseAddress, $0.count) }
    exit(128 + signal)
}

var minutes = 10.0
var seed = UInt64(time(nil))
var targets = FuzzTarget.allCases
var words = CommandLine.arguments.dropFirst()
while let option = words.popFirst() {
    let value = words.popFirst() ?? ""
    switch option {
    case "--minutes": minutes = Double(value) ?? minutes
    case "--seed": seed = UInt64(value) ?? seed
    case "--target": targets = FuzzTarget(rawValue: value).map { [$0] } ?? []
    default: targets = []
    }
}
guard !targets.isEmpty else {
    print("usage: tarn-fuzz [--minutes N] [--seed N] [--target \(FuzzTarget.allCases.map(\.rawValue))]")
    exit(2)
}
for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT] { signal(number, lastWords) }
var run = FuzzRun(seed: seed, targets: targets, limit: .milliseconds(Int(minutes * 60_000)))
run.onTry = { target, number in
    currentSeed.store(number, ordering: .relaxed)
    currentTarget.store(FuzzTarget.allCases.firstIndex(of: target) ?? 0, ordering: .relaxed)
}
print("seed \(seed), \(targets.map(\.rawValue).joined(separator: " ")), \(minutes) minutes")
let outcome = run.run()
for failure in outcome.failures { print("✘ \(failure)") }
print("\(outcome.tries) tries, \(outcome.failures.count) failures")
exit(outcome.failures.isEmpty ? 0 : 1)
