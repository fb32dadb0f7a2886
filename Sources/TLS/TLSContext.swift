import COpenSSL

/// What the sessions of one kind have in common: identity, trust, versions. Wraps an `SSL_CTX`.
///
/// Immutable after its making, so any thread may open sessions from it. A rotated certificate is a new context;
/// sessions keep the one they began with.
///
/// Sessions aren't resumed: a full P-256 handshake costs about a millisecond of CPU at each end (measured with client
/// certificates and OpenSSL 3.0), our connections are long-lived, and every one then proves its certificate anew, so a
/// revoked or rotated one can't live on in a ticket.
package final class TLSContext: Sendable {
    enum Verification: Sendable {
        case none, chain, chainAndHost
    }

    // Never written after init; SSL_new takes its reference count atomically.
    nonisolated(unsafe) let pointer: OpaquePointer
    let isServer: Bool
    let verification: Verification
    /// What the verification callback reads; alive as long as the context.
    private let pin: PeerPin?

    private init(isServer: Bool, verification: Verification, pin: PeerPin?) throws(TLSError) {
        ErrorQueue.clear()
        guard let context = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw ErrorQueue.error(.internalFailure, "OpenSSL can't be set up")
        }
        pointer = context
        self.isServer = isServer
        self.verification = verification
        self.pin = pin
        guard tarn_ssl_ctx_configure(context) == 1 else {
            throw ErrorQueue.error(.internalFailure, "OpenSSL has no TLS 1.2 or later")
        }
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    /// - Parameter identity: shown when the server asks for a client certificate.
    /// - Throws: `invalidCertificate` or `invalidKey` for texts that can't be used.
    package static func client(identity: TLSIdentity?, trust: TLSTrust) throws(TLSError) -> TLSContext {
        let context: TLSContext
        switch trust {
        case .none:
            context = try TLSContext(isServer: false, verification: .none, pin: nil)
        case .authority(let pem):
            context = try TLSContext(isServer: false, verification: .chainAndHost, pin: nil)
            try context.trustAuthorities(pem)
        case .systemAuthorities:
            context = try TLSContext(isServer: false, verification: .chainAndHost, pin: nil)
            SSL_CTX_set_default_verify_paths(context.pointer)
        case .pinnedAuthority(let digest):
            context = try TLSContext(isServer: false, verification: .chain, pin: PeerPin(.authority, digest))
        case .pinnedCertificate(let digest):
            context = try TLSContext(isServer: false, verification: .chain, pin: PeerPin(.certificate, digest))
        }
        if context.verification != .none { SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil) }
        context.pin?.install(on: context.pointer)
        if let identity { try context.use(identity) }
        return context
    }

    /// - Parameter clientAuthority: PEM of the authority whose client certificates are accepted *if* presented; a
    ///   client without one is let in unverified, one with a certificate of another authority is refused. Nil:
    ///   clients are never asked for a certificate.
    /// - Throws: `invalidCertificate` or `invalidKey` for texts that can't be used.
    package static func server(identity: TLSIdentity, clientAuthority: String?) throws(TLSError) -> TLSContext {
        let context = try TLSContext(isServer: true, verification: clientAuthority == nil ? .none : .chain, pin: nil)
        if let clientAuthority {
            try context.trustAuthorities(clientAuthority)
            SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        }
        try context.use(identity)
        return context
    }

    private func trustAuthorities(_ pem: String) throws(TLSError) {
        let authorities = try PEM.certificates(pem)
        defer { authorities.forEach { X509_free($0) } }
        let store = SSL_CTX_get_cert_store(pointer)
        for authority in authorities {
            X509_STORE_add_cert(store, authority)
            // The list a server sends, so that a browser doesn't offer certificates that can't do here.
            if isServer { SSL_CTX_add_client_CA(pointer, authority) }
        }
    }

    private func use(_ identity: TLSIdentity) throws(TLSError) {
        let chain = try PEM.certificates(identity.certificateChainPEM)
        defer { chain.forEach { X509_free($0) } }
        let key = try PEM.privateKey(identity.privateKeyPEM)
        defer { EVP_PKEY_free(key) }
        ErrorQueue.clear()
        guard SSL_CTX_use_certificate(pointer, chain[0]) == 1 else {
            throw ErrorQueue.error(.invalidCertificate, "the certificate can't be used for TLS")
        }
        guard SSL_CTX_use_PrivateKey(pointer, key) == 1, SSL_CTX_check_private_key(pointer) == 1 else {
            throw ErrorQueue.error(.invalidKey, "the private key doesn't belong to the certificate")
        }
        for certificate in chain.dropFirst() { _ = tarn_ssl_ctx_add1_chain_cert(pointer, certificate) }
    }
}
