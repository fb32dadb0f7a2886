import Glibc
import Primitives
import Testing

@testable import TLS

@Suite struct CertificateTests {
    @Test func opensslAcceptsWhatTheAuthoritySigns() throws {
        let cluster = try TestAuthority()
        let directory = try TemporaryDirectory()
        try directory.write(cluster.authority.certificatePEM, to: "ca.crt")
        try directory.write(cluster.node().certificateChainPEM, to: "node.crt")
        for purpose in ["sslserver", "sslclient"] {
            let status = directory.run(
                "openssl verify -x509_strict -purpose \(purpose) -verify_ip 127.0.0.1 -CAfile ca.crt node.crt")
            #expect(status == 0, "\(purpose)")
        }
        #expect(directory.run("openssl verify -verify_ip 127.0.0.2 -CAfile ca.crt node.crt 2>/dev/null") != 0)
    }

    @Test func opensslAcceptsRequests() throws {
        let directory = try TemporaryDirectory()
        let request = try Certificates.makeRequest(commonName: "node7", privateKeyPEM: Certificates.makeKey())
        try directory.write(request, to: "node.csr")
        #expect(directory.run("openssl req -in node.csr -noout -verify 2>/dev/null") == 0)
    }

    @Test func onlyTheKeyOfARequestIsTaken() throws {
        let cluster = try TestAuthority()
        let key = try Certificates.makeKey()
        let request = try Certificates.makeRequest(commonName: "admin", privateKeyPEM: key)
        let certificate = try cluster.authority.sign(
            requestPEM: request, commonName: "node3", dnsNames: [], addresses: ["::1"], days: 10)
        #expect(try Certificates.commonName(ofPEM: certificate) == "node3")
        #expect(try Certificates.publicKeyDigest(ofPEM: certificate) == Certificates.publicKeyDigest(ofPEM: request))
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let begin = try Certificates.notBefore(ofPEM: certificate).milliseconds / 1000 - Int64(now.tv_sec)
        let end = try Certificates.notAfter(ofPEM: certificate).milliseconds / 1000 - Int64(now.tv_sec)
        #expect((-310 ... -290).contains(begin) && (864_000 - 10...864_000 + 10).contains(end))
    }

    @Test func tamperedRequestsAreRefused() throws {
        let cluster = try TestAuthority()
        let request = try Certificates.makeRequest(commonName: "node3", privateKeyPEM: Certificates.makeKey())
        var lines = request.split(separator: "\n").map(String.init)
        // The subject's letters are in the second line; another name means another signed text.
        lines[1] = String(lines[1].map { $0 == "a" ? "b" : $0 == "A" ? "C" : $0 })
        #expect(throws: TLSError.self) {
            try cluster.authority.sign(
                requestPEM: lines.joined(separator: "\n") + "\n", commonName: "node3", dnsNames: [], addresses: [],
                days: 1)
        }
    }

    @Test(arguments: ["a,IP:1.2.3.4", "", "a b", "name\n"])
    func namesCannotSmuggleOthers(name: String) throws {
        #expect(throws: TLSError.self) {
            try Certificates.makeSelfSigned(commonName: "x", addresses: [], dnsNames: [name], days: 1)
        }
        #expect(throws: TLSError.self) {
            try Certificates.makeSelfSigned(commonName: "x", addresses: [name], dnsNames: [], days: 1)
        }
    }

    @Test func authorityRefusesAnotherKey() throws {
        let authority = try CertificateAuthority.make(clusterName: "c")
        let again = try CertificateAuthority(
            certificatePEM: authority.certificatePEM, privateKeyPEM: authority.privateKeyPEM)
        #expect(again.digest == authority.digest)
        #expect(try authority.digest == Certificates.digest(ofPEM: authority.certificatePEM))
        #expect(throws: TLSError.self) {
            try CertificateAuthority(
                certificatePEM: authority.certificatePEM, privateKeyPEM: Certificates.makeKey())
        }
        #expect(throws: TLSError.self) { try TLSContext.client(identity: nil, trust: .authority(pem: "no PEM")) }
    }
}

/// A directory that goes with the value.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/tarn-tls-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TLSError(.internalFailure, "mkdtemp: \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        _ = system("rm -r '\(path)'")
    }

    func write(_ text: String, to name: String) throws {
        guard let file = fopen("\(path)/\(name)", "w") else { throw TLSError(.internalFailure, "fopen: \(errno)") }
        fputs(text, file)
        fclose(file)
    }

    func run(_ command: String) -> Int32 {
        system("cd '\(path)' && \(command) >/dev/null")
    }
}
