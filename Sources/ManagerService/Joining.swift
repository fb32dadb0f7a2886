package import ClusterModel
import FoundationEssentials
import HTTPTransport
import HostControl
package import ManagementAPI
package import ManagerCore
package import NIOCore
package import Primitives
import TLS

/// The joiner's side of the handshake.
///
/// 1. Dial any node; its chain must lead to the CA whose digest is in the token.
/// 2. Prove the token's secret over this connection's exporter value, and send a signing request.
/// 3. Keep the signed certificate.
///
/// The key is made once and kept beside (`join.key`), so that a try that was killed after the cluster had admitted
/// the node is recognised by its key and gets the same node number again.
package struct JoinHandshake: Sendable {
    private static let deadline = Duration.seconds(10)

    private let token: JoinToken
    private let keyFile: String

    package init(token: JoinToken, pkiDirectory: String) {
        self.token = token
        keyFile = "\(pkiDirectory)/join.key"
    }

    package func run(
        with address: String, candidate: NodeCandidateObject, replacing replaced: NodeID? = nil, now: WallTime,
        group: any EventLoopGroup
    ) async throws -> (answer: JoinAnswerObject, keys: NodeKeys) {
        let privateKey = try key()
        let request = try Certificates.makeRequest(commonName: "joining", privateKeyPEM: privateKey)
        let pin = Hex.decode(token.authorityDigest) ?? []
        let client = HTTPClient(
            group: group, tls: try TLSContext.client(identity: nil, trust: .pinnedAuthority(sha256: pin)))
        defer { Task { await client.shutdown() } }
        var joiner = candidate
        joiner.publicKeyDigest = try Certificates.publicKeyDigest(ofPEM: request)
        let proofKey = Crypto.sha256(token.secretBytes)
        let tokenID = token.id
        let response = try await client.send(
            to: HTTPEndpoint(host: address, port: Peers.port), exporterLabel: "EXPORTER-tarn-join",
            deadline: Self.deadline
        ) { [joiner] exporter, _ in
            let message = JoinProof.message(exporter: exporter, request: request)
            let body = JoinRequestObject(
                tokenID: tokenID, proof: Hex.encode(Crypto.hmacSHA256(key: proofKey, message: message)),
                certificateRequest: request, candidate: joiner, time: now, replaces: replaced)
            return HTTPClientRequest(
                method: "POST", path: InternalPath.join, headers: [("content-type", "application/json")],
                body: Array(try JSONEncoder().encode(body)))
        }
        let answer = try read(response)
        guard try Certificates.digest(ofPEM: answer.authority) == pin else {
            throw PeerError(
                status: 400, code: "wrong_authority", message: "the answer's authority is not the pinned one")
        }
        let identity = TLSIdentity(
            certificateChainPEM: answer.certificate + answer.authority, privateKeyPEM: privateKey)
        return (answer, NodeKeys(authorityPEM: answer.authority, identity: identity))
    }

    private func read(_ response: HTTPClientResponse) throws -> JoinAnswerObject {
        guard response.status == 200 else { throw PeerError(response, from: "the cluster") }
        return try JSONDecoder().decode(JoinAnswerObject.self, from: Data(response.body))
    }

    private func key() throws -> String {
        if let kept = try? Data(contentsOf: URL(filePath: keyFile)) { return String(decoding: kept, as: UTF8.self) }
        let made = try Certificates.makeKey()
        try HostFile.write(made.utf8, to: keyFile, mode: 0o600)
        return made
    }
}
