import ClusterModel
import ManagementAPI
import ManagerCore
import ManagerService
import Primitives
import TLS
import Testing

@Suite struct AdmissionTests {
    private static let exporter = [UInt8](repeating: 7, count: 32)

    /// A cluster with one token, and a joiner that holds it.
    private struct Meeting {
        var state = ClusterState()
        let token: JoinToken
        let request: String

        init() async throws {
            let fixture = try await ClusterFixture()
            state.apply(fixture.seed.plan, revision: 1)
            let digest = try #require(state.cluster?.authorityDigest)
            token = JoinToken(random: Crypto.randomBytes(JoinToken.randomByteCount), authorityDigest: digest)
            let plan = try Planner.createToken(
                id: token.id, secretDigest: Hex.encode(Crypto.sha256(token.secretBytes)), lifetimeSeconds: 3600,
                uses: 1, createdBy: "test", in: state, now: ClusterFixture.start)
            state.apply(plan, revision: 2)
            request = try Certificates.makeRequest(
                commonName: "joining", privateKeyPEM: try Certificates.makeKey())
        }

        func joinRequest(secret: [UInt8]? = nil, exporter: [UInt8], signs other: String? = nil) -> JoinRequestObject {
            let key = Crypto.sha256(secret ?? token.secretBytes)
            let proof = Crypto.hmacSHA256(
                key: key, message: JoinProof.message(exporter: exporter, request: other ?? request))
            return JoinRequestObject(
                tokenID: token.id, proof: Hex.encode(proof), certificateRequest: request,
                candidate: ClusterFixture.candidate(address: "127.0.9.2"), time: ClusterFixture.start)
        }
    }

    @Test func theHolderOfTheSecretIsLetIn() async throws {
        let meeting = try await Meeting()
        try Admission(state: meeting.state).verify(
            meeting.joinRequest(exporter: Self.exporter), exporter: Self.exporter)
    }

    @Test func aWrongSecretIsRefused() async throws {
        let meeting = try await Meeting()
        let request = meeting.joinRequest(secret: Crypto.randomBytes(32), exporter: Self.exporter)
        expect("token_mismatch", meeting, request)
    }

    @Test func aProofMadeForAnotherConnectionIsRefused() async throws {
        let meeting = try await Meeting()
        let request = meeting.joinRequest(exporter: [UInt8](repeating: 8, count: 32))
        expect("token_mismatch", meeting, request)
    }

    @Test func aProofMadeForAnotherKeyIsRefused() async throws {
        let meeting = try await Meeting()
        expect("token_mismatch", meeting, meeting.joinRequest(exporter: Self.exporter, signs: "another request"))
    }

    @Test func anUnknownTokenIsRefused() async throws {
        let meeting = try await Meeting()
        var request = meeting.joinRequest(exporter: Self.exporter)
        request.tokenID = "0badc0de"
        expect("token_unknown", meeting, request)
    }

    @Test func theCertificateIsForTheAdmittedNodeAndNoOther() async throws {
        let meeting = try await Meeting()
        let plan = try Planner.admitNode(
            NodeCandidate(ClusterFixture.candidate(address: "127.0.9.2")), tokenID: meeting.token.id,
            in: meeting.state, now: ClusterFixture.start)
        let node = try #require(plan.node)
        let answer = try Admission(state: meeting.state).certificate(for: node, request: meeting.request)
        #expect(answer.node == NodeID(2))
        #expect(
            try Certificates.publicKeyDigest(ofPEM: answer.certificate)
                == Certificates.publicKeyDigest(ofPEM: meeting.request))
        #expect(try Hex.encode(Certificates.digest(ofPEM: answer.authority)) == meeting.token.authorityDigest)
    }

    private func expect(_ code: String, _ meeting: Meeting, _ request: JoinRequestObject) {
        #expect {
            try Admission(state: meeting.state).verify(request, exporter: Self.exporter)
        } throws: { ($0 as? PlanError)?.code == code }
    }
}
