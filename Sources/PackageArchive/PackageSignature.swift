import FoundationEssentials
import Primitives

/// The second entry of a package: who vouches for the first.
package struct PackageSignature: Codable, Equatable, Sendable {
    package var algorithm: String
    /// ``PublicKey/identifier`` of the key; only a hint, the signature is what counts.
    package var keyIdentifier: String
    /// Hexadecimal, over the manifest's bytes as they stand in the archive.
    package var signature: String

    package init(keyIdentifier: String, signature: [UInt8]) {
        algorithm = "ed25519"
        self.keyIdentifier = keyIdentifier
        self.signature = Hex.encode(signature)
    }

    enum CodingKeys: String, CodingKey {
        case algorithm, signature
        case keyIdentifier = "key_id"
    }

    package func bytes() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        guard let data = try? encoder.encode(self) else { preconditionFailure("signature does not encode") }
        return Array(data) + [0x0A]
    }

    package init(parsing bytes: [UInt8]) throws(PackageError) {
        guard let value = try? JSONDecoder().decode(PackageSignature.self, from: Data(bytes)),
            value.algorithm == "ed25519"
        else { throw PackageError(.signatureInvalid, "The signature of the package cannot be read.") }
        self = value
    }

    /// - Throws: ``PackageError``: `noTrustedKey`, `keyUnknown`, `signatureInvalid`.
    package func verify(_ manifest: [UInt8], trusted: [PublicKey]) throws(PackageError) {
        guard !trusted.isEmpty else {
            throw PackageError(
                .noTrustedKey,
                "This tarn carries no release key, so it cannot know whom to believe: use the tarn program that was"
                    + " published beside the package, or give --public-key FILE.")
        }
        guard let key = trusted.first(where: { $0.identifier == keyIdentifier }) else {
            let known = trusted.map(\.identifier).joined(separator: ", ")
            throw PackageError(
                .keyUnknown,
                "The package is signed with key \(keyIdentifier.prefix(64)); trusted here: \(known). Use the tarn"
                    + " program that was published beside the package,"
                    + " or, if you trust that key, give --public-key FILE.")
        }
        guard let signature = Hex.decode(signature), key.isSigner(of: manifest, signature: signature) else {
            throw PackageError(
                .signatureInvalid,
                "The signature does not fit the manifest: the package was changed. Download it again.")
        }
    }
}
