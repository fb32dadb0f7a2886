package import ClusterStore
package import HTTPTransport

extension EtcdStore {
    package func members() async throws(StoreError) -> [StoreMember] {
        let answer: MemberResponse = try await call("/cluster/member/list", Nothing()).body
        return (answer.members ?? []).map(StoreMember.init)
    }

    /// Adding an address that is a learner already gives that one: the first attempt may have been lost on its way
    /// back.
    package func addLearner(peerURL: String) async throws(StoreError) -> StoreMember {
        do throws(StoreError) {
            let request = MemberRequest(peerURLs: [peerURL], isLearner: true)
            let answer: MemberResponse = try await call("/cluster/member/add", request).body
            guard let member = answer.member else { throw StoreError(.protocolViolation, "no member in the answer") }
            return StoreMember(member)
        } catch {
            guard error.message.contains("already exist") else { throw error }
            let known = try await members().first { $0.peerURLs == [peerURL] && $0.isLearner }
            guard let known else { throw error }
            return known
        }
    }

    /// Promoting a voter does nothing.
    package func promote(member id: UInt64) async throws(StoreError) {
        do throws(StoreError) {
            let _: Nothing = try await call("/cluster/member/promote", MemberRequest(ID: GatewayID(id))).body
        } catch {
            guard error.message.contains("only promote a learner member") && error.code != .notReady else {
                throw error
            }
        }
    }

    /// Removing a member that isn't there does nothing.
    package func remove(member id: UInt64) async throws(StoreError) {
        do throws(StoreError) {
            let _: Nothing = try await call("/cluster/member/remove", MemberRequest(ID: GatewayID(id))).body
        } catch {
            guard error.message.contains("member not found") else { throw error }
        }
    }

    /// Naming the same address again does nothing.
    package func update(member id: UInt64, peerURL: String) async throws(StoreError) {
        let request = MemberRequest(ID: GatewayID(id), peerURLs: [peerURL])
        let _: Nothing = try await call("/cluster/member/update", request).body
    }

    /// What one member says of itself, without asking the others.
    /// - Throws: `unavailable` when it doesn't answer in a second.
    package func status(of endpoint: HTTPEndpoint) async throws(StoreError) -> EtcdMemberStatus {
        try await status(of: endpoint, deadline: .seconds(1))
    }

    func status(of endpoint: HTTPEndpoint, deadline: Duration) async throws(StoreError) -> EtcdMemberStatus {
        do {
            let answer: StatusResponse = try await caller.callOnce(
                "/maintenance/status", Nothing(), at: endpoint, deadline: deadline)
            return EtcdMemberStatus(answer)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.protocolViolation, "\(error)")
        }
    }
}

package struct EtcdMemberStatus: Hashable, Sendable {
    package var memberID: UInt64
    /// 0 while the member knows none.
    package var leaderID: UInt64
    package var isLearner: Bool
    package var revision: Int64
    package var version: String
    package var databaseBytes: Int64

    package var isLeader: Bool { leaderID == memberID }

    init(_ answer: StatusResponse) {
        memberID = answer.header.member_id?.value ?? 0
        leaderID = answer.leader?.value ?? 0
        isLearner = answer.isLearner ?? false
        revision = answer.header.revision?.value ?? 0
        version = answer.version ?? ""
        databaseBytes = answer.dbSize?.value ?? 0
    }
}

extension StoreMember {
    init(_ member: MemberResponse.Member) {
        self.init(
            id: member.ID.value, name: member.name ?? "", peerURLs: member.peerURLs ?? [],
            isLearner: member.isLearner ?? false)
    }
}
