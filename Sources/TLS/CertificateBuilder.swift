import COpenSSL
import Primitives

/// Puts a certificate together. Owned by one function call; the object is freed with it.
struct CertificateBuilder: ~Copyable {
    let certificate: OpaquePointer

    /// A version 3 certificate with a random serial number, valid from five minutes ago (clocks of neighbours
    /// differ) for `days` from now.
    init(publicKey: OpaquePointer, days: Int) throws(TLSError) {
        guard (1...36_500).contains(days) else {
            throw TLSError(.invalidArgument, "a certificate is valid for 1 to 36500 days, not \(days)")
        }
        ErrorQueue.clear()
        guard let certificate = X509_new() else { throw ErrorQueue.error(.internalFailure, "no memory") }
        self.certificate = certificate
        X509_set_version(certificate, 2)
        Self.setSerial(certificate)
        X509_gmtime_adj(X509_getm_notBefore(certificate), -300)
        X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(days), 0, nil)
        X509_set_pubkey(certificate, publicKey)
    }

    deinit {
        X509_free(certificate)
    }

    /// 128 random bits, the top one clear so that the number is positive (RFC 5280, 4.1.2.2).
    private static func setSerial(_ certificate: OpaquePointer) {
        var bytes = Crypto.randomBytes(16)
        bytes[0] = bytes[0] & 0x7F | 0x40
        let number = BN_bin2bn(bytes, Int32(bytes.count), nil)
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
        BN_free(number)
    }

    func setSubject(_ commonName: String) throws(TLSError) {
        try DistinguishedName.setCommonName(commonName, on: X509_get_subject_name(certificate))
    }

    func setIssuer(_ issuer: OpaquePointer) {
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer))
    }

    /// A certificate may not outlive its authority: clients would find it valid and the chain not.
    func limit(to authority: OpaquePointer) {
        let end = X509_get0_notAfter(authority)
        if ASN1_TIME_compare(X509_get0_notAfter(certificate), end) > 0 { X509_set1_notAfter(certificate, end) }
    }

    func add(_ nid: Int32, _ value: String, issuer: OpaquePointer) throws(TLSError) {
        guard let ext = tarn_make_extension(issuer, certificate, nid, value) else {
            throw ErrorQueue.error(.internalFailure, "certificate extension \(value)")
        }
        X509_add_ext(certificate, ext, -1)
        X509_EXTENSION_free(ext)
    }

    /// What every TLS endpoint of ours may do: be a server and a client.
    func addEndpointExtensions(
        dnsNames: [String], addresses: [String], issuer: OpaquePointer
    ) throws(TLSError) {
        try add(NID_basic_constraints, "critical,CA:FALSE", issuer: issuer)
        try add(NID_key_usage, "critical,digitalSignature", issuer: issuer)
        try add(NID_ext_key_usage, "serverAuth,clientAuth", issuer: issuer)
        try add(NID_subject_key_identifier, "hash", issuer: issuer)
        for name in dnsNames where !HostName.isName(name) {
            throw TLSError(.invalidArgument, "\"\(name)\" is not a DNS name")
        }
        for address in addresses where !HostName.isAddress(address) {
            throw TLSError(.invalidArgument, "\"\(address)\" is not an IP address")
        }
        let names = dnsNames.map { "DNS:\($0)" } + addresses.map { "IP:\($0)" }
        guard !names.isEmpty else { return }
        try add(NID_subject_alt_name, names.joined(separator: ","), issuer: issuer)
    }

    func sign(with key: OpaquePointer) throws(TLSError) -> String {
        guard X509_sign(certificate, key, EVP_sha256()) > 0 else {
            throw ErrorQueue.error(.internalFailure, "the certificate can't be signed")
        }
        return try PEM.text(certificate: certificate)
    }
}

enum DistinguishedName {
    /// - Throws: `invalidArgument` unless the name has 1 to 64 characters (RFC 5280, ub-common-name).
    static func setCommonName(_ commonName: String, on name: OpaquePointer?) throws(TLSError) {
        let bytes = Array(commonName.utf8)
        let count = Int32(bytes.count)
        guard X509_NAME_add_entry_by_NID(name, NID_commonName, tarn_mbstring_utf8(), bytes, count, -1, 0) == 1 else {
            throw ErrorQueue.error(.invalidArgument, "\"\(commonName)\" can't be a common name (1 to 64 characters)")
        }
    }
}
