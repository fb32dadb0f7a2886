import FoundationEssentials
import Primitives
import TLS

/// An Ed25519 public key that packages may be signed with.
package struct PublicKey: Hashable, Sendable {
    /// 32 bytes.
    package let bytes: [UInt8]

    /// - Throws: ``PackageError`` with code `keyInvalid` unless there are 32 bytes.
    package init(bytes: [UInt8]) throws(PackageError) {
        guard bytes.count == 32 else {
            throw PackageError(.keyInvalid, "An Ed25519 public key has 32 bytes, this one \(bytes.count).")
        }
        self.bytes = bytes
    }

    /// Names the key in signatures and messages: the first 16 digits of the SHA-256 of its bytes.
    package var identifier: String { String(Hex.encode(Crypto.sha256(bytes)).prefix(16)) }

    /// What every Ed25519 key in DER begins with (RFC 8410, section 4).
    private static let derPrefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]

    /// The form that `openssl pkey -pubin` reads.
    package var pem: String {
        """
        -----BEGIN PUBLIC KEY-----
        \(Data(Self.derPrefix + bytes).base64EncodedString())
        -----END PUBLIC KEY-----

        """
    }

    /// - Throws: ``PackageError`` with code `keyInvalid` unless the text has an Ed25519 public key.
    package init(pem: String) throws(PackageError) {
        guard let bytes = try? SigningKey.publicKey(fromPEM: pem) else {
            throw PackageError(.keyInvalid, "This is not an Ed25519 public key in PEM form.")
        }
        try self.init(bytes: bytes)
    }

    package func isSigner(of message: [UInt8], signature: [UInt8]) -> Bool {
        SigningKey.verify(signature: signature, message: message, publicKey: bytes)
    }

    package init(file path: String) throws(PackageError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw PackageError(.keyInvalid, "Cannot read the public key \(path).")
        }
        do {
            try self.init(pem: String(decoding: data, as: UTF8.self))
        } catch {
            throw PackageError(.keyInvalid, "\(path): \(error.message)")
        }
    }
}
