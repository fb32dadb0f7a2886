import COpenSSL

/// One end of one TLS connection, without a socket: ciphertext and plaintext go in and out as bytes.
///
/// ```
///  socket ──▶ receive(_:) ──▶ ┌─────────┐ ──▶ read(into:) ──▶ plaintext
///                             │ session │
///  socket ◀── takeOutput(_:) ◀┘─────────┘ ◀── write(_:)   ◀── plaintext
/// ```
/// After any call look for output: handshake messages, key updates and alerts appear there, also after an error (the
/// alert that tells the peer why). Belongs to one thread at a time.
package final class TLSSession {
    package enum Handshake: Sendable { case inProgress, complete }
    package enum ReadResult: Equatable, Sendable {
        /// So many bytes were stored, at least one.
        case bytes(Int)
        case needsInput
        /// The peer said orderly that nothing more comes (close_notify).
        case endOfStream
    }

    private let context: TLSContext
    private let session: OpaquePointer
    /// Owned by `session`.
    private let input: OpaquePointer
    private let output: OpaquePointer
    /// After a fatal error OpenSSL forbids further calls, SSL_shutdown included.
    private var isBroken = false
    package private(set) var isEstablished = false

    /// - Parameter serverName: for a client the name or literal address dialled: sent as SNI if a name, and compared
    ///   with the certificate under ``TLSTrust/authority(pem:)`` and ``TLSTrust/systemAuthorities``.
    package init(context: TLSContext, serverName: String? = nil) throws(TLSError) {
        ErrorQueue.clear()
        let input = try PEM.makeBIO()
        guard let output = BIO_new(BIO_s_mem()) else {
            BIO_free_all(input)
            throw ErrorQueue.error(.internalFailure, "no memory")
        }
        guard let session = SSL_new(context.pointer) else {
            BIO_free_all(input)
            BIO_free_all(output)
            throw ErrorQueue.error(.internalFailure, "no memory for a TLS session")
        }
        SSL_set_bio(session, input, output)
        self.context = context
        self.session = session
        self.input = input
        self.output = output
        if context.isServer { SSL_set_accept_state(session) } else { SSL_set_connect_state(session) }
        if let serverName, !context.isServer { expect(serverName) }
    }

    deinit {
        SSL_free(session)
    }

    private func expect(_ serverName: String) {
        let isAddress = HostName.isAddress(serverName)
        if !isAddress { _ = tarn_ssl_set_server_name(session, serverName) }
        guard context.verification == .chainAndHost else { return }
        let parameters = SSL_get0_param(session)
        if isAddress {
            X509_VERIFY_PARAM_set1_ip_asc(parameters, serverName)
        } else {
            X509_VERIFY_PARAM_set1_host(parameters, serverName, serverName.utf8.count)
        }
    }

    /// Takes bytes from the peer; nothing is looked at before ``handshake()`` or ``read(into:)``.
    package func receive(_ ciphertext: UnsafeRawBufferPointer) throws(TLSError) {
        guard !isBroken else { throw TLSError(.closed, "the TLS session has ended") }
        guard !ciphertext.isEmpty else { return }
        guard BIO_write(input, ciphertext.baseAddress, Int32(ciphertext.count)) == Int32(ciphertext.count) else {
            isBroken = true
            throw ErrorQueue.error(.internalFailure, "no memory for received bytes")
        }
    }

    package var hasOutput: Bool { tarn_bio_pending(output) > 0 }

    /// Gives `body` all bytes to send to the peer, and forgets them. Not called when there are none.
    package func takeOutput(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard hasOutput else { return }
        body(PEM.contents(output))
        _ = tarn_bio_reset(output)
    }

    /// Takes the handshake as far as the bytes received allow.
    package func handshake() throws(TLSError) -> Handshake {
        guard !isBroken else { throw TLSError(.closed, "the TLS session has ended") }
        guard !isEstablished else { return .complete }
        ErrorQueue.clear()
        let result = SSL_do_handshake(session)
        if result == 1 {
            isEstablished = true
            return .complete
        }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            return .inProgress
        default:
            isBroken = true
            throw VerificationFailure.error(of: session) ?? ErrorQueue.sessionError(isHandshake: true)
        }
    }

    /// Decrypts at most one record into `buffer`.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSError) -> ReadResult {
        guard !isBroken else { throw TLSError(.closed, "the TLS session has ended") }
        ErrorQueue.clear()
        let count = SSL_read(session, buffer.baseAddress, Int32(clamping: buffer.count))
        if count > 0 { return .bytes(Int(count)) }
        switch SSL_get_error(session, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            return .needsInput
        case SSL_ERROR_ZERO_RETURN:
            return .endOfStream
        default:
            isBroken = true
            throw ErrorQueue.sessionError(isHandshake: false)
        }
    }

    /// Encrypts all of `plaintext`, in records of at most 16 KiB. For long data call it with parts and take the output
    /// in between, else the output holds the whole in memory once more.
    package func write(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
        guard !isBroken else { throw TLSError(.closed, "the TLS session has ended") }
        var rest = plaintext[...]
        while !rest.isEmpty {
            ErrorQueue.clear()
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let count = SSL_write(session, part.baseAddress, Int32(clamping: part.count))
            guard count > 0 else {
                // The output grows as needed, so there is nothing to wait for: any failure is final.
                isBroken = true
                throw ErrorQueue.sessionError(isHandshake: false)
            }
            rest = rest.dropFirst(Int(count))
        }
    }

    /// Says orderly that nothing more will be written (close_notify); reading goes on. Harmless when repeated.
    package func close() {
        guard isEstablished, !isBroken else { return }
        ErrorQueue.clear()
        SSL_shutdown(session)
        ErrorQueue.clear()
    }

    /// What the handshake told about the other end; meaningful once ``isEstablished``.
    package var peer: TLSPeer {
        CertificateFacts.peer(
            of: session, isServer: context.isServer,
            isVerified: isEstablished && context.verification != .none
                && SSL_get_verify_result(session) == Int(X509_V_OK))
    }

    /// Bytes that both ends of this connection, and nobody else, can compute (RFC 5705, RFC 8446 section 7.5).
    /// - Throws: `closed` before the handshake is complete.
    package func exportKeyingMaterial(label: String, length: Int) throws(TLSError) -> [UInt8] {
        guard isEstablished else { throw TLSError(.closed, "no keying material before the end of the handshake") }
        ErrorQueue.clear()
        var bytes = [UInt8](repeating: 0, count: length)
        guard SSL_export_keying_material(session, &bytes, length, label, label.utf8.count, nil, 0, 0) == 1 else {
            throw ErrorQueue.error(.internalFailure, "keying material can't be exported")
        }
        return bytes
    }

    /// `TLSv1.3` and the like.
    package var protocolVersion: String { String(cString: SSL_get_version(session)) }
}
