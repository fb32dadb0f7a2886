import COpenSSL
import Glibc
package import Primitives

/// Keys, requests and self-signed certificates, and what can be read off a certificate.
package enum Certificates {
    /// A new EC P-256 private key, PKCS #8, unencrypted.
    package static func makeKey() throws(TLSError) -> String {
        guard let key = tarn_ec_p256_generate() else {
            throw ErrorQueue.error(.internalFailure, "no key could be made")
        }
        defer { EVP_PKEY_free(key) }
        return try PEM.text(privateKey: key)
    }

    /// A certificate signing request (PKCS #10).
    package static func makeRequest(commonName: String, privateKeyPEM: String) throws(TLSError) -> String {
        let key = try PEM.privateKey(privateKeyPEM)
        defer { EVP_PKEY_free(key) }
        guard let request = X509_REQ_new() else { throw ErrorQueue.error(.internalFailure, "no memory") }
        defer { X509_REQ_free(request) }
        X509_REQ_set_version(request, 0)
        try DistinguishedName.setCommonName(commonName, on: X509_REQ_get_subject_name(request))
        guard X509_REQ_set_pubkey(request, key) == 1, X509_REQ_sign(request, key, EVP_sha256()) > 0 else {
            throw ErrorQueue.error(.internalFailure, "the request can't be signed")
        }
        return try PEM.text { PEM_write_bio_X509_REQ($0, request) }
    }

    /// An identity for the time before there is an authority.
    package static func makeSelfSigned(
        commonName: String, addresses: [String], dnsNames: [String], days: Int
    ) throws(TLSError) -> TLSIdentity {
        guard let key = tarn_ec_p256_generate() else {
            throw ErrorQueue.error(.internalFailure, "no key could be made")
        }
        defer { EVP_PKEY_free(key) }
        let builder = try CertificateBuilder(publicKey: key, days: days)
        try builder.setSubject(commonName)
        builder.setIssuer(builder.certificate)
        try builder.addEndpointExtensions(dnsNames: dnsNames, addresses: addresses, issuer: builder.certificate)
        return try TLSIdentity(
            certificateChainPEM: builder.sign(with: key), privateKeyPEM: PEM.text(privateKey: key))
    }

    /// SHA-256 of the DER of the (first) certificate.
    package static func digest(ofPEM pem: String) throws(TLSError) -> [UInt8] {
        let certificate = try PEM.certificate(pem)
        defer { X509_free(certificate) }
        return CertificateFacts.digest(certificate)
    }

    /// SHA-256 of the public key in a certificate or in a signing request, in hexadecimal.
    package static func publicKeyDigest(ofPEM pem: String) throws(TLSError) -> String {
        let digest: String?
        if pem.contains("CERTIFICATE REQUEST-----") {
            let request = try PEM.request(pem)
            defer { X509_REQ_free(request) }
            digest = CertificateFacts.publicKeyDigest(X509_REQ_get0_pubkey(request))
        } else {
            let certificate = try PEM.certificate(pem)
            defer { X509_free(certificate) }
            digest = CertificateFacts.publicKeyDigest(X509_get0_pubkey(certificate))
        }
        guard let digest else { throw ErrorQueue.error(.invalidCertificate, "no usable public key") }
        return digest
    }

    /// The subject's common name of the (first) certificate; nil when it has none.
    package static func commonName(ofPEM pem: String) throws(TLSError) -> String? {
        let certificate = try PEM.certificate(pem)
        defer { X509_free(certificate) }
        return CertificateFacts.commonName(certificate)
    }

    /// The moment after which the (first) certificate is no longer valid.
    package static func notAfter(ofPEM pem: String) throws(TLSError) -> WallTime {
        let certificate = try PEM.certificate(pem)
        defer { X509_free(certificate) }
        return try wallTime(X509_get0_notAfter(certificate))
    }

    /// The moment from which the (first) certificate is valid.
    package static func notBefore(ofPEM pem: String) throws(TLSError) -> WallTime {
        let certificate = try PEM.certificate(pem)
        defer { X509_free(certificate) }
        return try wallTime(X509_get0_notBefore(certificate))
    }

    private static func wallTime(_ time: UnsafePointer<ASN1_TIME>?) throws(TLSError) -> WallTime {
        var calendar = tm()
        guard ASN1_TIME_to_tm(time, &calendar) == 1 else {
            throw ErrorQueue.error(.invalidCertificate, "the certificate's dates can't be read")
        }
        return WallTime(milliseconds: Int64(timegm(&calendar)) * 1000)
    }
}
