import Primitives
import Testing

@testable import TLS

@Suite struct HandshakeTests {
    private func pair(
        _ trust: TLSTrust, _ identity: TLSIdentity, serverName: String? = "127.0.0.1",
        clientIdentity: TLSIdentity? = nil, clientAuthority: String? = nil
    ) throws -> SessionPair {
        try SessionPair(
            client: .client(identity: clientIdentity, trust: trust),
            server: .server(identity: identity, clientAuthority: clientAuthority), serverName: serverName)
    }

    private func refusal(_ body: () throws -> Void) -> TLSError? {
        do {
            try body()
            return nil
        } catch {
            return error as? TLSError
        }
    }

    @Test func bothEndsProveThemselves() throws {
        let cluster = try TestAuthority()
        let pem = cluster.authority.certificatePEM
        let pair = try pair(
            .authority(pem: pem), cluster.node(1), clientIdentity: cluster.node(2), clientAuthority: pem)
        try pair.shakeHands(piece: 7)
        #expect(pair.client.protocolVersion == "TLSv1.3")
        #expect(pair.client.peer.commonName == "node1" && pair.client.peer.isVerified)
        #expect(pair.server.peer.commonName == "node2" && pair.server.peer.isVerified)
        #expect(pair.server.peer.authorityPEM == pem)
        let exported = try pair.client.exportKeyingMaterial(label: "EXPORTER-tarn-join", length: 32)
        #expect(try exported == pair.server.exportKeyingMaterial(label: "EXPORTER-tarn-join", length: 32))
        #expect(try exported != pair.server.exportKeyingMaterial(label: "EXPORTER-other", length: 32))
    }

    @Test func plaintextOfAnySizeArrives() throws {
        let cluster = try TestAuthority()
        let pair = try pair(.none, cluster.node())
        try pair.shakeHands()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(try SessionPair.send(bytes, from: pair.client, to: pair.server) == bytes)
        #expect(try SessionPair.send([1], from: pair.server, to: pair.client) == [1])
        pair.client.close()
        try SessionPair.carry(from: pair.client, to: pair.server)
        var space = [UInt8](repeating: 0, count: 16)
        let result = try space.withUnsafeMutableBytes { buffer in try pair.server.read(into: buffer) }
        #expect(result == .endOfStream)
    }

    @Test func clientWithoutCertificateIsLetInUnverified() throws {
        let cluster = try TestAuthority()
        let pair = try pair(.none, cluster.node(), clientAuthority: cluster.authority.certificatePEM)
        try pair.shakeHands()
        #expect(!pair.server.peer.isVerified && pair.server.peer.certificateDigest == nil)
        #expect(!pair.client.peer.isVerified && pair.client.peer.commonName == "node1")
    }

    @Test func clientOfAnotherClusterIsRefused() throws {
        let (ours, theirs) = (try TestAuthority(), try TestAuthority())
        let pair = try pair(
            .none, ours.node(), clientIdentity: theirs.node(), clientAuthority: ours.authority.certificatePEM)
        #expect(refusal { try pair.shakeHands() }?.code == .untrustedPeer)
        // The alert comes after the client's own handshake: it reads the verdict instead of data.
        try SessionPair.carry(from: pair.server, to: pair.client)
        var space = [UInt8](repeating: 0, count: 16)
        let verdict = refusal {
            _ = try space.withUnsafeMutableBytes { buffer in try pair.client.read(into: buffer) }
        }
        #expect(verdict?.code == .rejectedByPeer)
    }

    @Test func serverOfAnotherClusterIsRefused() throws {
        let (ours, theirs) = (try TestAuthority(), try TestAuthority())
        let pair = try pair(.authority(pem: ours.authority.certificatePEM), theirs.node())
        let error = refusal { try pair.shakeHands() }
        #expect(error?.code == .untrustedPeer)
        #expect(error?.message.contains("another authority") == true)
    }

    @Test func addressAndNameMustBeInTheCertificate() throws {
        let cluster = try TestAuthority()
        let trust = TLSTrust.authority(pem: cluster.authority.certificatePEM)
        try pair(trust, cluster.node(), serverName: "127.0.0.1").shakeHands()
        try pair(trust, cluster.node(), serverName: "node1.test.local").shakeHands()
        try pair(trust, cluster.node(), serverName: nil).shakeHands()
        for wrong in ["127.0.0.2", "::1", "node2.test.local"] {
            let pair = try pair(trust, cluster.node(), serverName: wrong)
            #expect(refusal { try pair.shakeHands() }?.code == .untrustedPeer, "\(wrong)")
        }
    }

    @Test func pinnedAuthorityIsFoundInThePresentedChain() throws {
        let (ours, theirs) = (try TestAuthority(), try TestAuthority())
        try pair(.pinnedAuthority(sha256: ours.authority.digest), ours.node(), serverName: "10.9.9.9").shakeHands()
        let wrong = try pair(.pinnedAuthority(sha256: ours.authority.digest), theirs.node())
        #expect(refusal { try wrong.shakeHands() }?.message.contains("pinned") == true)
        // The authority's certificate is public: presenting it beside a foreign leaf must prove nothing.
        let leaf = try theirs.node()
        let leafOnly = leaf.certificateChainPEM.dropLast(theirs.authority.certificatePEM.count)
        let impostor = TLSIdentity(
            certificateChainPEM: leafOnly + ours.authority.certificatePEM, privateKeyPEM: leaf.privateKeyPEM)
        let pair = try pair(.pinnedAuthority(sha256: ours.authority.digest), impostor)
        #expect(refusal { try pair.shakeHands() }?.code == .untrustedPeer)
        // Nor may the leaf itself be pinned as if it were an authority.
        let node = try ours.node()
        let asAuthority = try self.pair(
            .pinnedAuthority(sha256: Certificates.digest(ofPEM: node.certificateChainPEM)), node)
        #expect(refusal { try asAuthority.shakeHands() }?.code == .untrustedPeer)
    }

    @Test func pinnedCertificate() throws {
        let bootstrap = try Certificates.makeSelfSigned(
            commonName: "bootstrap", addresses: ["127.0.0.1"], dnsNames: [], days: 1)
        let digest = try Certificates.digest(ofPEM: bootstrap.certificateChainPEM)
        let good = try pair(.pinnedCertificate(sha256: digest), bootstrap)
        try good.shakeHands()
        #expect(good.client.peer.isVerified && good.client.peer.certificateDigest == digest)
        let other = try Certificates.makeSelfSigned(commonName: "bootstrap", addresses: [], dnsNames: [], days: 1)
        let bad = try pair(.pinnedCertificate(sha256: digest), other)
        #expect(refusal { try bad.shakeHands() }?.code == .untrustedPeer)
    }

    @Test func datesAreToldApart() throws {
        let cluster = try TestAuthority()
        let trust = TLSTrust.authority(pem: cluster.authority.certificatePEM)
        let expired = try pair(trust, Redated.node(of: cluster, from: -3000, to: -60))
        #expect(refusal { try expired.shakeHands() }?.message.contains("expired") == true)
        let early = try pair(trust, Redated.node(of: cluster, from: 3600, to: 7200))
        #expect(refusal { try early.shakeHands() }?.message.contains("not valid yet: check this machine") == true)
    }

    @Test func garbageIsNotTLS() throws {
        let cluster = try TestAuthority()
        let server = try TLSSession(context: .server(identity: cluster.node(), clientAuthority: nil))
        try Array("GET / HTTP/1.1\r\n\r\n".utf8).withUnsafeBytes { bytes in try server.receive(bytes) }
        #expect(refusal { _ = try server.handshake() }?.message.contains("doesn't speak TLS") == true)
        #expect(refusal { _ = try server.handshake() }?.code == .closed)
    }
}
