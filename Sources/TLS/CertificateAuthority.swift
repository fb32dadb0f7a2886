import COpenSSL

/// The cluster's own certificate authority.
package struct CertificateAuthority: Sendable {
    /// How long an authority lives: longer than any cluster, so that no node ever has to learn a new one in a hurry.
    private static let days = 3650 * 2

    package let certificatePEM: String
    package let privateKeyPEM: String
    /// SHA-256 of the certificate's DER: what a join token pins.
    package let digest: [UInt8]

    /// A fresh P-256 authority `Tarn CA <cluster name>`.
    package static func make(clusterName: String) throws(TLSError) -> CertificateAuthority {
        guard let key = tarn_ec_p256_generate() else {
            throw ErrorQueue.error(.internalFailure, "no key could be made")
        }
        defer { EVP_PKEY_free(key) }
        let builder = try CertificateBuilder(publicKey: key, days: days)
        // The attribute holds 64 characters; a longer cluster name is still whole in the node certificates' names.
        try builder.setSubject(String("Tarn CA \(clusterName)".prefix(64)))
        builder.setIssuer(builder.certificate)
        try builder.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0", issuer: builder.certificate)
        try builder.add(NID_key_usage, "critical,keyCertSign,cRLSign", issuer: builder.certificate)
        try builder.add(NID_subject_key_identifier, "hash", issuer: builder.certificate)
        return try CertificateAuthority(
            certificatePEM: builder.sign(with: key), privateKeyPEM: PEM.text(privateKey: key))
    }

    /// - Throws: `invalidCertificate` or `invalidKey`, also when the two don't belong together.
    package init(certificatePEM: String, privateKeyPEM: String) throws(TLSError) {
        let certificate = try PEM.certificate(certificatePEM)
        defer { X509_free(certificate) }
        let key = try PEM.privateKey(privateKeyPEM)
        defer { EVP_PKEY_free(key) }
        guard X509_check_private_key(certificate, key) == 1 else {
            throw ErrorQueue.error(.invalidKey, "the key is not the authority's")
        }
        self.certificatePEM = certificatePEM
        self.privateKeyPEM = privateKeyPEM
        digest = CertificateFacts.digest(certificate)
    }

    /// A node's or client's certificate for the key in a request, valid from five minutes ago. Of the request only the
    /// key is taken, after its signature proved that the sender holds it; the names are the caller's.
    /// - Throws: `invalidCertificate` for a request that can't be trusted, `invalidArgument` for bad names.
    package func sign(
        requestPEM: String, commonName: String, dnsNames: [String], addresses: [String], days: Int
    ) throws(TLSError) -> String {
        let request = try PEM.request(requestPEM)
        defer { X509_REQ_free(request) }
        guard let key = X509_REQ_get0_pubkey(request), X509_REQ_verify(request, key) == 1 else {
            throw ErrorQueue.error(.invalidCertificate, "the request isn't signed with its own key")
        }
        guard EVP_PKEY_get_security_bits(key) >= 112 else {
            throw TLSError(.invalidCertificate, "the request's key is too weak: use EC P-256")
        }
        let issuer = try PEM.certificate(certificatePEM)
        defer { X509_free(issuer) }
        let issuerKey = try PEM.privateKey(privateKeyPEM)
        defer { EVP_PKEY_free(issuerKey) }
        let builder = try CertificateBuilder(publicKey: key, days: days)
        try builder.setSubject(commonName)
        builder.setIssuer(issuer)
        builder.limit(to: issuer)
        try builder.addEndpointExtensions(dnsNames: dnsNames, addresses: addresses, issuer: issuer)
        try builder.add(NID_authority_key_identifier, "keyid", issuer: issuer)
        return try builder.sign(with: issuerKey)
    }
}
