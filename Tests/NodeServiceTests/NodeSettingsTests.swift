import ClusterModel
import Testing

@testable import NodeService

@Suite struct NodeSettingsTests {
    private func parse(_ text: String) throws -> NodeSettings {
        try NodeSettings.parse(text, path: "node.conf", prefix: "/found")
    }

    @Test func everyKey() throws {
        let text = """
            # by the installer
            prefix = /srv/one
              address=10.1.2.3\t
            supervisor = systemd
            openssl = package
            something = newer
            """
        #expect(
            try parse(text)
                == NodeSettings(prefix: "/srv/one", address: "10.1.2.3", supervisor: .systemd, openSSL: .package))
    }

    @Test func defaults() throws {
        #expect(try parse("address = 10.1.2.3") == NodeSettings(prefix: "/found", address: "10.1.2.3"))
    }

    @Test(arguments: [
        ("", "needs `address"), ("address = db1", "has db1"), ("address 10.1.2.3", "without `=`"),
        ("address = 10.1.2.3\nsupervisor = me", "accepted: systemd, self, container"),
    ])
    func errorsSayWhat(text: String, part: String) {
        let error = #expect(throws: NodeSettingsError.self) { try parse(text) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    @Test func aMissingFileNamesTheRemedy() {
        let error = #expect(throws: NodeSettingsError.self) { try NodeSettings.load(prefix: "/nowhere/at/all") }
        #expect(error?.description.contains("tarn install --prefix /nowhere/at/all") == true)
    }

    @Test func pathsUnderAPrefixAndUnderTheRoot() {
        #expect(NodePaths(prefix: "/").shardSocket(ShardID(3)) == "/var/lib/tarn/shards/3/shard.sock")
        #expect(NodePaths(prefix: "/n1/").program("redis-server") == "/n1/opt/tarn/current/bin/redis-server")
        #expect(NodePaths(prefix: "/n1") == NodePaths(prefix: "/n1//"))
    }
}
