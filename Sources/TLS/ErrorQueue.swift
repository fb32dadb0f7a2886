import COpenSSL

/// The calling thread's queue of OpenSSL errors.
///
/// Every OpenSSL call may leave entries there, and SSL_get_error misreads leftovers, so the queue is cleared before
/// a call whose failure is going to be explained and emptied by the explanation.
enum ErrorQueue {
    static func clear() {
        ERR_clear_error()
    }

    /// The queued errors as one text; empties the queue.
    static func text() -> String {
        var reasons: [String] = []
        while true {
            let error = ERR_get_error()
            if error == 0 { break }
            reasons.append(ERR_reason_error_string(error).map { String(cString: $0) } ?? "error \(error)")
        }
        return reasons.isEmpty ? "no further detail" : reasons.joined(separator: ", ")
    }

    /// An error of `code` that ends in what OpenSSL says.
    static func error(_ code: TLSError.Code, _ message: String) -> TLSError {
        TLSError(code, "\(message): \(text())")
    }

    /// What a failed SSL call means to the people who run the two ends. Empties the queue.
    static func sessionError(isHandshake: Bool) -> TLSError {
        let last = ERR_peek_error()
        let reason = tarn_error_is_ssl(last) != 0 ? Int32(tarn_error_reason(last)) : 0
        let detail = text()
        switch reason {
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_TLSV1_ALERT_ACCESS_DENIED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
            return TLSError(
                .rejectedByPeer,
                "the peer doesn't trust our certificate (\(detail)): check that both "
                    + "belong to the same cluster")
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
            return TLSError(
                .rejectedByPeer,
                "the peer says that our certificate has expired: renew it, and check "
                    + "the clocks of both machines")
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TLSError(.rejectedByPeer, "a client certificate is required here and none was presented")
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_UNKNOWN_PROTOCOL,
            SSL_R_BAD_RECORD_TYPE, SSL_R_UNEXPECTED_MESSAGE:
            return TLSError(.handshakeFailed, "the peer doesn't speak TLS (\(detail)): check the port")
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return TLSError(.handshakeFailed, "no common TLS version (\(detail)): TLS 1.2 or later is needed")
        default:
            return isHandshake
                ? TLSError(.handshakeFailed, "the TLS handshake failed: \(detail)")
                : TLSError(.protocolViolation, "the TLS connection is broken: \(detail)")
        }
    }
}
