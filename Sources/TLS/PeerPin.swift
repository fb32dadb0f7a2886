import COpenSSL

/// Verification against a digest instead of a list of authorities.
final class PeerPin: Sendable {
    enum Subject: Sendable {
        case authority, certificate
    }

    private let subject: Subject
    private let digest: [UInt8]

    init(_ subject: Subject, _ digest: [UInt8]) {
        self.subject = subject
        self.digest = digest
    }

    /// The context keeps this object alive and outlives its sessions, so the pointer given to OpenSSL is unretained.
    func install(on context: OpaquePointer) {
        SSL_CTX_set_cert_verify_callback(
            context,
            { store, pin in
                guard let store, let pin else { return 0 }
                return Unmanaged<PeerPin>.fromOpaque(pin).takeUnretainedValue().verify(store)
            },
            Unmanaged.passUnretained(self).toOpaque())
    }

    /// 1 when the chain in `store` is good, as OpenSSL wants it; else the reason is set in `store`.
    private func verify(_ store: OpaquePointer) -> Int32 {
        switch subject {
        case .certificate:
            if let leaf = X509_STORE_CTX_get0_cert(store), matches(leaf) {
                X509_STORE_CTX_set_error(store, X509_V_OK)
                return 1
            }
        case .authority:
            let presented = X509_STORE_CTX_get0_untrusted(store)
            for index in 0..<tarn_x509_stack_count(presented) {
                guard let candidate = tarn_x509_stack_at(presented, index), matches(candidate) else { continue }
                return verify(store, upTo: candidate)
            }
        }
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED)
        return 0
    }

    private func verify(_ store: OpaquePointer, upTo authority: OpaquePointer) -> Int32 {
        // A pinned leaf that isn't an authority must not vouch for itself: only a self-signed one is taken as a root.
        guard X509_self_signed(authority, 1) == 1, let trusted = tarn_x509_stack_new() else {
            X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED)
            return 0
        }
        defer { tarn_x509_stack_free(trusted) }
        _ = tarn_x509_stack_push(trusted, authority)
        X509_STORE_CTX_set0_trusted_stack(store, trusted)
        return X509_verify_cert(store)
    }

    private func matches(_ certificate: OpaquePointer) -> Bool {
        Crypto.constantTimeEquals(CertificateFacts.digest(certificate), digest)
    }
}
