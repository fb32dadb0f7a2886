import Glibc

/// The public key that a released `tarn` program carries behind its last byte.
///
/// A release is two files, `tarn` and the package, and the first has to know whom to believe about the second. The key
/// is no part of the build: whoever makes a package signs it and marks the `tarn` beside it, without compiling again.
/// ```
///  ┌──────────────── ELF file ────────────────┬──── 16 bytes ────┬─ 32 bytes ─┐
///  │ as the linker made it; the loader        │ TARN-RELEASE-KEY │ Ed25519    │
///  │ never looks behind its sections          │                  │ public key │
///  └──────────────────────────────────────────┴──────────────────┴────────────┘
/// ```
/// See docs/adr/0004-who-trusts-a-package.md.
package enum ReleaseKey {
    private static let mark = Array("TARN-RELEASE-KEY".utf8)
    private static let trailerBytes = 48

    /// The program's bytes with the key behind them, instead of one that was there.
    package static func attach(_ key: PublicKey, to program: [UInt8]) -> [UInt8] {
        withoutKey(program) + mark + key.bytes
    }

    package static func withoutKey(_ program: [UInt8]) -> [UInt8] {
        let trailer = program.suffix(trailerBytes)
        return trailer.count == trailerBytes && trailer.starts(with: mark)
            ? Array(program.dropLast(trailerBytes)) : program
    }

    /// The key that a program carries; nil for one that was built but never released.
    package static func carried(by program: String = "/proc/self/exe") -> PublicKey? {
        let descriptor = open(program, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let end = lseek(descriptor, 0, Int32(SEEK_END))
        guard end >= trailerBytes else { return nil }
        var trailer = [UInt8](repeating: 0, count: trailerBytes)
        guard pread(descriptor, &trailer, trailerBytes, end - off_t(trailerBytes)) == trailerBytes,
            trailer.starts(with: mark)
        else { return nil }
        return try? PublicKey(bytes: Array(trailer.dropFirst(mark.count)))
    }
}
