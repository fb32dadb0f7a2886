import CPCRE2
import Glibc

/// What a thread needs to try rules: made once, so that trying them allocates nothing.
///
/// A rule may be one that takes exponentially many steps, and a key the one that makes it. So steps are counted, and
/// there are fewer the longer the key is, because a step may look at all of it. Measured with machine code on the worst
/// of a dozen such rules: 40 µs for 64 bytes, 0.25 ms for 1 KiB, 3 ms for 1 MiB. The keys of one command share a time,
/// too: there may be a million of them.
package final class KeyMatchScratch {
    /// Steps times bytes.
    private static let budget = 20_000_000
    private static let fewestSteps = 16
    /// Enough to go back over every byte a few times, which is what harmless rules do.
    private static func plentySteps(_ byteCount: Int) -> Int { 1000 + 8 * byteCount }
    private static let stackBytes = (first: 32 << 10, most: 256 << 10)
    private static let mostHeapKilobytes: UInt32 = 1024
    private static let mostNested: UInt32 = 10_000
    private static let commandMilliseconds = 200

    let data: OpaquePointer
    let context: OpaquePointer
    private let stack: OpaquePointer?
    /// Start and end of each group.
    let offsets: UnsafeMutablePointer<Int>
    private var keysOfCommand = 0
    /// Coarse milliseconds; 0: so few keys so far that nobody looked at the clock.
    private var deadline = 0

    package init() {
        // 256 characters hold fewer than 128 groups.
        data = pcre2_match_data_create_8(128, nil)
        context = pcre2_match_context_create_8(nil)
        stack = pcre2_jit_stack_create_8(Self.stackBytes.first, Self.stackBytes.most, nil)
        offsets = pcre2_get_ovector_pointer_8(data)
        pcre2_jit_stack_assign_8(context, nil, stack.map { UnsafeMutableRawPointer($0) })
        pcre2_set_heap_limit_8(context, Self.mostHeapKilobytes)
        pcre2_set_depth_limit_8(context, Self.mostNested)
    }

    deinit {
        pcre2_match_data_free_8(data)
        pcre2_match_context_free_8(context)
        pcre2_jit_stack_free_8(stack)
    }

    /// The keys that come now are those of another command.
    package func beginCommand() {
        keysOfCommand = 0
        deadline = 0
    }

    /// To be asked once for each key.
    func isOutOfTime() -> Bool {
        keysOfCommand &+= 1
        if keysOfCommand & 15 != 0 { return false }
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        let now = time.tv_sec &* 1000 &+ time.tv_nsec / 1_000_000
        if deadline == 0 { deadline = now + Self.commandMilliseconds }
        return now > deadline
    }

    func limitSteps(for byteCount: Int) {
        let affordable = max(Self.fewestSteps, Self.budget / max(1, byteCount))
        pcre2_set_match_limit_8(context, UInt32(min(affordable, Self.plentySteps(byteCount))))
    }
}
