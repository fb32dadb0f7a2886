import COpenSSL

/// Turns OpenSSL's verdict on a certificate into advice.
enum VerificationFailure {
    /// Nil when the certificate wasn't the reason.
    static func error(of session: OpaquePointer) -> TLSError? {
        let verdict = Int32(SSL_get_verify_result(session))
        guard verdict != X509_V_OK else { return nil }
        ErrorQueue.clear()
        return TLSError(.untrustedPeer, message(verdict))
    }

    private static func message(_ verdict: Int32) -> String {
        switch verdict {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "the peer's certificate has expired: renew it, or check this machine's clock"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "the peer's certificate is not valid yet: check this machine's clock"
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "the peer's certificate is not for this address: use one of the addresses it names"
        case X509_V_ERR_HOSTNAME_MISMATCH:
            return "the peer's certificate is not for this host name: use one of the names it lists"
        case X509_V_ERR_CERT_UNTRUSTED:
            return "the peer's certificate doesn't match the pinned digest: it is not the cluster or node you mean"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "the peer's certificate is self-signed, not by the expected authority: the node may not be in a "
                + "cluster yet, or somebody is in between"
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
            X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return "the peer's certificate is of another authority: it belongs to another cluster, or the CA file "
                + "is not this cluster's"
        default:
            let text = X509_verify_cert_error_string(Int(verdict)).map { String(cString: $0) } ?? "\(verdict)"
            return "the peer's certificate is not acceptable: \(text)"
        }
    }
}
