package import EtcdStore
import Glibc
package import HTTPTransport
import Logging
import NIOPosix
import Synchronization
import TLS

/// Real etcd members with mutual TLS on loopback addresses of their own, and a store over them.
package final class TestEtcd: Sendable {
    package struct Member: Sendable {
        package let server: EtcdServer
        package let endpoint: HTTPEndpoint
        package let process: TestProcess
    }

    package let client: HTTPClient
    private let directory: TestDirectory
    private let authority: CertificateAuthority
    private let network: String
    private let guarded = Mutex<[Int: Member]>([:])

    private static let networks = Atomic(0)

    private init() throws {
        directory = try TestDirectory()
        authority = try CertificateAuthority.make(clusterName: "etcd.test")
        let number = Self.networks.add(1, ordering: .relaxed).newValue
        // Runs of other processes at the same time get other networks.
        network = "127.\(30 + Int(getpid()) % 200).\(number % 250)"
        let identity = try Self.identity(authority, node: "client", address: nil)
        client = HTTPClient(
            group: MultiThreadedEventLoopGroup.singleton,
            tls: try .client(identity: identity, trust: .authority(pem: authority.certificatePEM)))
    }

    /// Starts members 1...count, waits until each answers a read, runs the body, ends everything.
    package static func withMembers(_ count: Int, _ body: (TestEtcd) async throws -> Void) async throws {
        let etcd = try TestEtcd()
        let ids = Array(1...count)
        for id in ids { try etcd.start(id, knowing: ids, state: .new) }
        let result: Result<Void, any Error>
        do {
            for id in ids { try await etcd.waitUntilServing(id) }
            result = .success(try await body(etcd))
        } catch {
            result = .failure(error)
        }
        await etcd.client.shutdown()
        for id in etcd.members.keys { etcd.member(id).process.kill() }
        try result.get()
    }

    package var members: [Int: Member] { guarded.withLock { $0 } }
    package func member(_ id: Int) -> Member { guarded.withLock { $0[id]! } }
    package func address(_ id: Int) -> String { "\(network).\(id)" }
    package func endpoint(_ id: Int) -> HTTPEndpoint {
        HTTPEndpoint(host: address(id), port: EtcdServer.clientPort)
    }

    package func store(_ ids: [Int]? = nil, preferring local: Int? = nil) -> EtcdStore {
        EtcdStore(
            client: client, endpoints: (ids ?? members.keys.sorted()).map(endpoint), preferring: local.map(endpoint),
            logger: Logger(label: "test"))
    }

    /// Starts a member, also one that ran before.
    package func start(_ id: Int, knowing ids: [Int], state: EtcdServer.State) throws {
        let name = EtcdStore.memberName(node: id)
        let pki = "\(directory.path)/pki\(id)"
        if access(pki, F_OK) != 0 {
            _ = try directory.makeDirectory("pki\(id)")
            let identity = try Self.identity(authority, node: name, address: address(id))
            try directory.write(authority.certificatePEM, to: "pki\(id)/ca.crt")
            try directory.write(identity.certificateChainPEM, to: "pki\(id)/node.crt")
            try directory.write(identity.privateKeyPEM, to: "pki\(id)/node.key")
        }
        let peers = ids.map {
            EtcdServer.Peer(name: EtcdStore.memberName(node: $0), url: EtcdServer.peerURL(address: address($0)))
        }
        let server = EtcdServer(
            name: name, address: address(id), dataDirectory: "\(directory.path)/data\(id)", pkiDirectory: pki,
            initialCluster: peers, state: state)
        let process = try TestProcess(
            "etcd", server.arguments, environment: server.environment, log: "\(directory.path)/etcd\(id).log")
        guarded.withLock { $0[id] = Member(server: server, endpoint: endpoint(id), process: process) }
    }

    package func waitUntilServing(_ id: Int) async throws {
        let single = store([id])
        _ = try await eventually(within: .seconds(30), "member \(id) to serve", lastSeen: { self.log(id) }) {
            try await single.snapshot(prefix: "/none")
        }
    }

    package func leader() async throws -> Int {
        let store = store()
        return try await eventually("a leader") {
            for id in members.keys.sorted() {
                if let status = try? await store.status(of: endpoint(id)), status.isLeader { return id }
            }
            return nil
        }
    }

    private func log(_ id: Int) -> String {
        guard let file = fopen("\(directory.path)/etcd\(id).log", "r") else { return "no log" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count].suffix(2000), as: UTF8.self)
    }

    private static func identity(
        _ authority: CertificateAuthority, node: String, address: String?
    ) throws -> TLSIdentity {
        let key = try Certificates.makeKey()
        let request = try Certificates.makeRequest(commonName: node, privateKeyPEM: key)
        let certificate = try authority.sign(
            requestPEM: request, commonName: node, dnsNames: ["\(node).etcd.test"],
            addresses: address.map { [$0] } ?? [], days: 2)
        return TLSIdentity(certificateChainPEM: certificate + authority.certificatePEM, privateKeyPEM: key)
    }
}
