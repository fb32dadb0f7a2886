import Primitives

/// What is wrong with the text of a join token.
package struct JoinTokenError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notAToken = "token_not_a_token"
        case unknownVersion = "token_unknown_version"
        case truncated = "token_truncated"
        case mistyped = "token_mistyped"
    }

    package let code: Code
    package let message: String
    package var description: String { message }
}

/// The secret with which a machine joins: `tarn1.<id>.<secret>.<SHA-256 of the cluster CA>`.
///
/// The id is 8 hexadecimal digits; the secret is 64, followed by 8 of a checksum over all parts, so that a
/// mistyped token is called that on the spot and not "refused" by some node; the digest pins the CA.
package struct JoinToken: Hashable, Sendable {
    package static let version = "tarn1"
    /// Random bytes that a token is made of.
    package static let randomByteCount = 4 + 32

    /// Names the token in lists; no secret.
    package let id: String
    /// 32 bytes in hexadecimal.
    package let secret: String
    /// SHA-256 of the CA certificate (DER) in hexadecimal.
    package let authorityDigest: String

    /// - Precondition: `random` has ``randomByteCount`` bytes.
    package init(random: [UInt8], authorityDigest: String) {
        precondition(random.count == Self.randomByteCount)
        self.init(
            id: Hex.encode(random[..<4]), secret: Hex.encode(random[4...]), authorityDigest: authorityDigest)
    }

    /// - Precondition: The parts have 8, 64 and 64 hexadecimal digits in lower case.
    package init(id: String, secret: String, authorityDigest: String) {
        precondition([id, secret, authorityDigest].map(\.utf8.count) == [8, 64, 64])
        self.id = id
        self.secret = secret
        self.authorityDigest = authorityDigest
    }

    package init(parsing text: String) throws(JoinTokenError) {
        let parts = text.trimmingSpaces.lowercased().split(separator: ".", omittingEmptySubsequences: false)
            .map(String.init)
        guard let version = parts.first, version.hasPrefix("tarn") else {
            throw JoinTokenError(
                code: .notAToken,
                message: "this is no join token: one begins with \"\(Self.version).\" and is made "
                    + "by 'tarn token create'")
        }
        guard version == Self.version else {
            throw JoinTokenError(
                code: .unknownVersion,
                message: "\"\(version)\" is no kind of join token that this release knows; "
                    + "install the release that the cluster runs")
        }
        guard parts.count == 4, parts[1].count == 8, parts[2].count == 72, parts[3].count == 64 else {
            throw JoinTokenError(
                code: .truncated,
                message: "the join token is not whole: it has four parts, of 5, 8, 72 and 64 "
                    + "characters; this one has \(parts.map { String($0.count) }.joined(separator: ", "))")
        }
        id = parts[1]
        secret = String(parts[2].prefix(64))
        authorityDigest = parts[3]
        guard self.text == parts.joined(separator: "."), parts.dropFirst().allSatisfy({ Hex.decode($0) != nil }) else {
            throw JoinTokenError(
                code: .mistyped, message: "the join token has a typing error: its checksum doesn't fit. Copy it again")
        }
    }

    /// The whole token, secret included: to show once, never to log.
    package var text: String { "\(Self.version).\(id).\(secret)\(checksum).\(authorityDigest)" }

    /// What is hashed into `JoinTokenRecord.secretDigest`.
    package var secretBytes: [UInt8] { Hex.decode(secret) ?? [] }

    private var checksum: String {
        let sum = Self.crc32("\(id).\(secret).\(authorityDigest)".utf8)
        return Hex.encode((0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * UInt32($0))) })
    }

    /// CRC-32 as in IEEE 802.3: finds every single and double slip and every burst of up to 32 bits.
    private static func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var sum: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0xEDB8_8320 : sum >> 1 }
        }
        return ~sum
    }
}

extension String {
    fileprivate var trimmingSpaces: Substring {
        guard let last = lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return self[...last].drop { $0.isWhitespace }
    }
}
