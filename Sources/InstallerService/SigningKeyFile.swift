import FoundationEssentials
import HostControl
package import TLS

/// The private key that packages are signed with, in a file of whoever builds them.
package enum SigningKeyFile {
    /// `~/.config/tarn/signing.key`.
    package static func usualPath(home: String) -> String { "\(home)/.config/tarn/signing.key" }

    /// Reads the key; makes one (mode 0600) when there is none and `isCreated` says so.
    package static func load(_ path: String, isCreated: Bool) throws -> SigningKey {
        if let text = HostFile.text(path) {
            do {
                return try SigningKey(privateKeyPEM: text)
            } catch {
                throw InstallerError(.assembly, "\(path) holds no Ed25519 private key in PEM form: \(error.message)")
            }
        }
        guard isCreated, !HostFile.exists(path) else {
            throw InstallerError(
                .assembly,
                "Cannot read the signing key \(path). Make one with"
                    + " `openssl genpkey -algorithm ed25519 -out \(path)`.")
        }
        let key = try SigningKey.generate()
        try HostFile.makeDirectory(HostFile.parent(of: path), mode: 0o700)
        try HostFile.write(try key.privateKeyPEM.utf8, to: path, mode: 0o600)
        return key
    }
}
