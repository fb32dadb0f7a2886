package import ClusterModel
package import ManagementAPI
package import ManagerCore
import Primitives
import TLS

/// The cluster's side of the join handshake: is this the holder of a good token, on this very connection?
///
/// The token's record says only the hash of the secret, and that hash is the key of the proof; the secret itself
/// never travels and is nowhere stored.
package struct Admission: Sendable {
    /// Certificates last a year; rotation long before is another part's work.
    package static let certificateDays = 365

    private let state: ClusterState

    package init(state: ClusterState) {
        self.state = state
    }

    /// Checks the proof, which is bound to the connection and so can't be left to the leader; the leader's planner
    /// checks the rest (expiry, uses, clock, address). Nothing is said about the cluster before the proof is good.
    package func verify(_ request: JoinRequestObject, exporter: [UInt8]) throws(PlanError) {
        guard let token = state.tokens[request.tokenID], let key = Hex.decode(token.secretDigest) else {
            throw PlanError(
                code: "token_unknown", status: 401,
                message:
                    "There is no such join token: check that it was copied whole, or make one with 'tarn token create'."
            )
        }
        let expected = Crypto.hmacSHA256(
            key: key, message: JoinProof.message(exporter: exporter, request: request.certificateRequest))
        guard let proof = Hex.decode(request.proof), Crypto.constantTimeEquals(proof, expected) else {
            throw PlanError(
                code: "token_mismatch", status: 401,
                message: "The join token's secret is wrong: check that it was copied whole.")
        }
    }

    /// The certificate of an admitted node.
    package func certificate(for node: NodeRecord, request: String) throws(PlanError) -> JoinAnswerObject {
        guard let authority = state.authority, let cluster = state.cluster else {
            throw PlanError(code: "internal_error", status: 503, message: "The cluster has no authority yet.")
        }
        do {
            let signer = try CertificateAuthority(
                certificatePEM: authority.certificatePEM, privateKeyPEM: authority.privateKeyPEM)
            let certificate = try signer.sign(
                requestPEM: request, commonName: "node\(node.id)", dnsNames: ["node\(node.id).\(cluster.name)"],
                addresses: [node.address], days: Self.certificateDays)
            return JoinAnswerObject(
                node: node.id, clusterName: cluster.name, certificate: certificate,
                authority: authority.certificatePEM, voterAddresses: state.voterAddresses,
                store: state.recovery?.store)
        } catch {
            throw PlanError(code: "invalid_certificate", status: 400, message: "The signing request is bad: \(error)")
        }
    }
}

extension ClusterState {
    /// Where the store can be reached, in order of node ids.
    package var voterAddresses: [String] {
        nodes.values.filter { $0.storeRole == .voter }.sorted { $0.id < $1.id }.map(\.address)
    }
}
