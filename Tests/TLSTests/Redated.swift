import COpenSSL

@testable import TLS

/// Certificates with dates that the product never makes.
enum Redated {
    /// - Parameters: seconds from now.
    static func node(of cluster: TestAuthority, from: Int, to: Int) throws -> TLSIdentity {
        let identity = try cluster.node()
        let certificate = try PEM.certificate(identity.certificateChainPEM)
        defer { X509_free(certificate) }
        let key = try PEM.privateKey(cluster.authority.privateKeyPEM)
        defer { EVP_PKEY_free(key) }
        X509_gmtime_adj(X509_getm_notBefore(certificate), from)
        X509_gmtime_adj(X509_getm_notAfter(certificate), to)
        X509_sign(certificate, key, EVP_sha256())
        return TLSIdentity(
            certificateChainPEM: try PEM.text(certificate: certificate) + cluster.authority.certificatePEM,
            privateKeyPEM: identity.privateKeyPEM)
    }
}
