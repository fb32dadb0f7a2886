/// A certificate and its key, as one end shows itself to the other.
package struct TLSIdentity: Sendable {
    /// The own certificate first, then those that lead to its authority, the authority's own included (a joining
    /// node finds the authority it pinned in what the server presents).
    package var certificateChainPEM: String
    /// Unencrypted.
    package var privateKeyPEM: String

    package init(certificateChainPEM: String, privateKeyPEM: String) {
        self.certificateChainPEM = certificateChainPEM
        self.privateKeyPEM = privateKeyPEM
    }
}

/// What a client accepts as the server it meant.
package enum TLSTrust: Sendable {
    /// The chain ends in (one of) the given authorities, and the certificate names the host or address that was
    /// dialled when the session was given one.
    case authority(pem: String)
    /// The chain presented holds a self-signed authority whose DER has this SHA-256, and verifies up to it.
    /// Host names aren't checked: whoever pins an authority knows it, not its nodes.
    case pinnedAuthority(sha256: [UInt8])
    /// The certificate presented is exactly the one whose DER has this SHA-256; its dates don't matter.
    case pinnedCertificate(sha256: [UInt8])
    /// The authorities of the operating system, with the host name checked.
    case systemAuthorities
    /// Anybody (`--insecure`).
    case none
}

/// What a handshake told about the other end.
package struct TLSPeer: Sendable {
    /// SHA-256 of the DER of the certificate presented; nil when none was.
    package var certificateDigest: [UInt8]?
    /// The subject's common name.
    package var commonName: String?
    /// Whether the certificate was checked and found good. Never true under ``TLSTrust/none`` or without one.
    package var isVerified: Bool
    /// The last certificate of the chain presented: the authority, when the peer sends it along.
    package var authorityPEM: String?
    /// SHA-256 of the certificate's public key (DER, SubjectPublicKeyInfo) in hexadecimal.
    package var publicKeyDigest: String?

    package init(
        certificateDigest: [UInt8]? = nil, commonName: String? = nil, isVerified: Bool = false,
        authorityPEM: String? = nil, publicKeyDigest: String? = nil
    ) {
        self.certificateDigest = certificateDigest
        self.commonName = commonName
        self.isVerified = isVerified
        self.authorityPEM = authorityPEM
        self.publicKeyDigest = publicKeyDigest
    }
}
