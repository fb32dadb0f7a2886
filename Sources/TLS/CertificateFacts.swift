import COpenSSL
import Primitives

/// What is read off an X509 object; the caller keeps ownership of it.
enum CertificateFacts {
    static func digest(_ certificate: OpaquePointer) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        X509_digest(certificate, EVP_sha256(), &digest, nil)
        return digest
    }

    static func commonName(_ certificate: OpaquePointer) -> String? {
        let name = X509_get_subject_name(certificate)
        let index = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard index >= 0, let value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)) else { return nil }
        var text: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&text, value)
        guard count >= 0, let text else { return nil }
        defer { CRYPTO_free(text, nil, 0) }
        return String(decoding: UnsafeBufferPointer(start: text, count: Int(count)), as: UTF8.self)
    }

    /// SHA-256 of the SubjectPublicKeyInfo, hexadecimal.
    static func publicKeyDigest(_ key: OpaquePointer?) -> String? {
        var der: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(key, &der)
        guard count > 0, let der else { return nil }
        defer { CRYPTO_free(der, nil, 0) }
        return Hex.encode(Crypto.sha256(Array(UnsafeBufferPointer(start: der, count: Int(count)))))
    }

    static func peer(of session: OpaquePointer, isServer: Bool, isVerified: Bool) -> TLSPeer {
        guard let leaf = SSL_get1_peer_certificate(session) else { return TLSPeer() }
        defer { X509_free(leaf) }
        // A server's view of the chain leaves the leaf out, a client's has it first; either way the last one counts.
        let chain = SSL_get_peer_cert_chain(session)
        let count = tarn_x509_stack_count(chain)
        let last = count > 0 ? tarn_x509_stack_at(chain, count - 1) : leaf
        return TLSPeer(
            certificateDigest: digest(leaf), commonName: commonName(leaf), isVerified: isVerified,
            authorityPEM: last.flatMap { try? PEM.text(certificate: $0) },
            publicKeyDigest: publicKeyDigest(X509_get0_pubkey(leaf)))
    }
}
