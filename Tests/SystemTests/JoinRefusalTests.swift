import Glibc
import Testing

@testable import dev

/// Each reason for which a node may not join has an error of its own, and the node can try again at once.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct JoinRefusalTests {
    @Test func eachRefusalHasItsErrorAndLeavesTheNodeFree() throws {
        try LoopbackCluster.temporary("join-refusals", network: "127.0.45") { cluster in
            try cluster.install([1, 2, 3, 4])
            try cluster.create()
            let good = try token(cluster, "--uses", "2")

            // Tokens that are none, or not of this cluster.
            try refused("token_not_a_token", node: 2, "not-a-token", cluster)
            try refused("token_truncated", node: 2, String(good.dropLast(3)), cluster)
            try refused("token_mistyped", node: 2, mistyped(good), cluster)
            try refused("token_unknown", node: 2, TokenText(good).with(id: "00000000"), cluster)
            try refused("token_mismatch", node: 2, TokenText(good).withOtherSecret(), cluster)
            try refused(
                "wrong_authority", node: 2, TokenText(good).with(authority: String(repeating: "a", count: 64)), cluster)

            // Tokens that were good.
            let revoked = try token(cluster)
            try cluster.client.run("token", "revoke", TokenText(revoked).id)
            try refused("token_revoked", node: 2, revoked, cluster)

            // Not one of the refused tries stands in the way of a good one, nor has one been counted.
            try join(2, good, cluster: cluster)
            #expect(try usesLeft(of: good, cluster) == 1)

            // Nodes that are in already, by themselves or by their address.
            try refused("already_joined", node: 2, good, cluster)
            try cluster.startOver(2)
            try refused("address_in_use", node: 2, good, cluster)
            #expect(try usesLeft(of: good, cluster) == 1)

            let single = try token(cluster, "--uses", "1")
            try join(3, single, cluster: cluster)
            try refused("token_used_up", node: 4, single, cluster)
            try join(4, good, "--rack", "r4", cluster: cluster)
            let nodes = try cluster.client.json("node", "list").listed("nodes")
            #expect(nodes.count == 4)
            #expect(nodes.first { $0["uid"]?.int == 4 }?["rack_id"]?.text == "r4")
        }
    }

    @Test func aNodeOfAnotherClusterIsRefused() throws {
        try LoopbackCluster.temporary("two-clusters", network: "127.0.46") { cluster in
            try cluster.install([1, 2])
            try cluster.create()
            try cluster.client.run(
                "cluster", "create", "--name", "other.local", "--admin", LoopbackCluster.adminUser, "--password-file",
                cluster.passwordFile, "--prefix", cluster.prefix(2), "--no-config")
            try refused("already_joined", node: 2, try token(cluster), cluster)
        }
    }

    @Test func nobodyAnswersThere() throws {
        try LoopbackCluster.temporary("nobody", network: "127.0.47") { cluster in
            try cluster.install([1, 2])
            try cluster.create()
            let token = try token(cluster)
            let (code, message) = try failure(
                of: cluster.client.command([
                    "cluster", "join", "127.0.47.99", "--token", token, "--prefix", cluster.prefix(2), "--json",
                ]))
            #expect(code == "connect_error", "\(message)")
            try join(2, token, cluster: cluster)
        }
    }

    private func token(_ cluster: LoopbackCluster, _ options: String...) throws -> String {
        let made = try JSONValue(
            parsing: try cluster.client.command(["token", "create", "--json"] + options).outputOrFail())
        return try #require(made["token"]?.text)
    }

    private func usesLeft(of token: String, _ cluster: LoopbackCluster) throws -> Int? {
        try cluster.client.json("token", "list").elements.first { $0["id"]?.text == TokenText(token).id }?["uses_left"]?
            .int
    }

    private func mistyped(_ token: String) -> String {
        let parts = token.split(separator: ".").map(String.init)
        let secret = parts[2]
        let changed = (secret.hasPrefix("0") ? "1" : "0") + secret.dropFirst()
        return [parts[0], parts[1], changed, parts[3]].joined(separator: ".")
    }

    private func join(_ node: Int, _ token: String, _ options: String..., cluster: LoopbackCluster) throws {
        try cluster.client.command(
            ["cluster", "join", cluster.address(1), "--token", token, "--prefix", cluster.prefix(node)] + options
        ).outputOrFail()
    }

    private func refused(
        _ expected: String, node: Int, _ token: String, _ cluster: LoopbackCluster,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let began = ContinuousClock.now
        let (code, message) = try failure(
            of: cluster.client.command([
                "cluster", "join", cluster.address(1), "--token", token, "--prefix", cluster.prefix(node), "--json",
            ]))
        print("\(expected): \(message) (\((ContinuousClock.now - began).milliseconds) ms)")
        #expect(code == expected, "\(message)", sourceLocation: location)
        #expect(message.count > 20, "\(message)", sourceLocation: location)
    }

    private func failure(of command: Command) throws -> (code: String, message: String) {
        let result = try command.run()
        #expect(result.status != 0)
        let error = try JSONValue(parsing: result.output)["error"]
        return (error?["code"]?.text ?? "", error?["message"]?.text ?? "")
    }
}

/// A join token taken apart, so that single parts can be wrong while its checksum is right.
private struct TokenText {
    let id: String
    private let secret: String
    private let authority: String

    init(_ text: String) {
        let parts = text.split(separator: ".").map(String.init)
        id = parts[1]
        secret = String(parts[2].prefix(64))
        authority = parts[3]
    }

    func with(id: String) -> String { Self.text(id, secret, authority) }
    func with(authority: String) -> String { Self.text(id, secret, authority) }
    func withOtherSecret() -> String { Self.text(id, String(secret.reversed()), authority) }

    private static func text(_ id: String, _ secret: String, _ authority: String) -> String {
        let sum = crc32("\(id).\(secret).\(authority)".utf8)
        let digits = String(sum, radix: 16)
        return "tarn1.\(id).\(secret)\(String(repeating: "0", count: 8 - digits.count))\(digits).\(authority)"
    }

    private static func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(0xFFFF_FFFF as UInt32) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum & 1 == 1 ? (sum >> 1) ^ 0xEDB8_8320 : sum >> 1 }
        }
    }
}
