/// What went wrong in the TLS or certificate code.
package struct TLSError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The handshake ended for a reason other than the peer's certificate: not TLS, no common version, garbage.
        case handshakeFailed
        /// The peer's certificate isn't what the ``TLSTrust`` asks for.
        case untrustedPeer
        /// The peer refused *our* certificate or the lack of one.
        case rejectedByPeer
        /// A PEM text holds no certificate or request, or one that contradicts itself.
        case invalidCertificate
        /// A PEM text holds no private key, an encrypted one, or not the certificate's.
        case invalidKey
        /// A name or address that can't stand in a certificate, or a parameter out of range.
        case invalidArgument
        /// A record that can't be decrypted or is out of place; the connection is lost.
        case protocolViolation
        /// The session is over: used after its end.
        case closed
        /// OpenSSL refused something it should not (out of memory, broken installation).
        case internalFailure
    }

    package var code: Code
    /// What happened and what to do about it.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
