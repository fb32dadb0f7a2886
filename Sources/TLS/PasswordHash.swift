import Primitives

/// Passwords as they are kept: `scrypt$N$r$p$salt-hex$hash-hex`.
///
/// Both calls take some 30 ms of CPU on purpose; not for an event loop.
package enum PasswordHash {
    /// The cost of scrypt's paper for interactive logins, and Go's and OpenSSL's recommendation since.
    private static let cost = (N: 16384, r: 8, p: 1)

    package static func make(_ password: String) -> String {
        let salt = Crypto.randomBytes(16)
        let hash = Crypto.scrypt(
            password: Array(password.utf8), salt: salt, N: cost.N, r: cost.r, p: cost.p, length: 32)
        guard let hash else { preconditionFailure("scrypt refused our own parameters") }
        return "scrypt$\(cost.N)$\(cost.r)$\(cost.p)$\(Hex.encode(salt))$\(Hex.encode(hash))"
    }

    /// Whether `password` is the one that `record` was made of. False for a record that can't be read.
    package static func verify(_ password: String, against record: String) -> Bool {
        let parts = record.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "scrypt", let n = Int(parts[1]), let r = Int(parts[2]),
            let p = Int(parts[3]), let salt = Hex.decode(parts[4]), let expected = Hex.decode(parts[5]),
            expected.count >= 16, expected.count <= 64,
            let hash = Crypto.scrypt(
                password: Array(password.utf8), salt: salt, N: n, r: r, p: p, length: expected.count)
        else { return false }
        return Crypto.constantTimeEquals(hash, expected)
    }
}
