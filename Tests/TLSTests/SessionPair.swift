import Testing

@testable import TLS

/// A client and a server session joined by memory instead of a network.
final class SessionPair {
    let client: TLSSession
    let server: TLSSession

    init(client: TLSContext, server: TLSContext, serverName: String? = nil) throws {
        self.client = try TLSSession(context: client, serverName: serverName)
        self.server = try TLSSession(context: server)
    }

    /// Carries bytes to and fro until both handshakes are complete. Bytes travel in pieces of `piece` bytes.
    /// - Throws: the client's error first, as its verdict on the certificate comes first.
    func shakeHands(piece: Int = .max) throws {
        for _ in 0..<8 {
            let isClientDone = try client.handshake() == .complete
            try Self.carry(from: client, to: server, piece: piece) { _ = try server.handshake() }
            let isServerDone = try server.handshake() == .complete
            try Self.carry(from: server, to: client, piece: piece) { _ = try client.handshake() }
            if isClientDone && isServerDone { return }
        }
        Issue.record("the handshake made no progress")
    }

    static func carry(
        from source: TLSSession, to target: TLSSession, piece: Int = .max, each: () throws -> Void = {}
    ) throws {
        var bytes: [UInt8] = []
        source.takeOutput { bytes = Array($0) }
        while !bytes.isEmpty {
            let count = min(piece, bytes.count)
            try bytes[..<count].withUnsafeBytes { part in try target.receive(part) }
            bytes.removeFirst(count)
            try each()
        }
    }

    /// Writes at one end, reads all at the other.
    static func send(_ bytes: [UInt8], from source: TLSSession, to target: TLSSession) throws -> [UInt8] {
        try bytes.withUnsafeBytes { plaintext in try source.write(plaintext) }
        try carry(from: source, to: target)
        var received: [UInt8] = []
        var space = [UInt8](repeating: 0, count: 1 << 14)
        while case .bytes(let count) = try space.withUnsafeMutableBytes({ buffer in
            try target.read(into: buffer)
        }) {
            received += space[..<count]
        }
        return received
    }
}

/// A cluster's authority and what it signs.
struct TestAuthority {
    let authority: CertificateAuthority

    init(name: String = "test.local") throws {
        authority = try CertificateAuthority.make(clusterName: name)
    }

    /// A node's identity as on disk: its certificate followed by the authority's.
    func node(_ number: Int = 1, address: String = "127.0.0.1", days: Int = 30) throws -> TLSIdentity {
        let key = try Certificates.makeKey()
        let request = try Certificates.makeRequest(commonName: "ignored", privateKeyPEM: key)
        let certificate = try authority.sign(
            requestPEM: request, commonName: "node\(number)", dnsNames: ["node\(number).test.local"],
            addresses: [address], days: days)
        return TLSIdentity(certificateChainPEM: certificate + authority.certificatePEM, privateKeyPEM: key)
    }
}
