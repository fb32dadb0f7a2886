import Glibc
import ProxyFuzz
import Testing

/// A short run of each target; `swift run dev fuzz` goes on for as long as one likes. A failure names its seed, with
/// which `dev fuzz --seed N --target T` begins.
@Suite struct FuzzTests {
    @Test(arguments: FuzzTarget.allCases) func holds(target: FuzzTarget) {
        let seed = getenv("TARN_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
        let outcome = FuzzRun(seed: seed, targets: [target], limit: .seconds(2)).run()
        #expect(outcome.tries > 50)
        for failure in outcome.failures { Issue.record("\(failure)") }
    }
}
