import ClusterModel
import Primitives
import ProxyControl
import Testing

/// What the manager and the proxy tell each other survives its way.
@Suite struct ProxyMessageTests {
    @Test func everyFieldIsCoded() throws {
        let shards = [
            ShardRoute(
                shard: ShardID(1), slots: SlotRange(first: 0, last: 99), address: .local(path: "/s"), isHeld: true),
            ShardRoute(
                shard: ShardID(2), slots: SlotRange(first: 100, last: 16383), address: .remote(host: "h", port: 1)),
        ]
        let routes = DatabaseRoutes(
            database: DatabaseID(3), epoch: Epoch(4), name: "n", listenHost: "h", port: 10001, shards: shards,
            password: "p", shardPassword: "q", maximumConnections: 5, memoryLimitBytes: 6, settings: ["a": "b"],
            needsLease: true, fenced: [ShardID(7), ShardID(8)])
        for command: ProxyCommand in [
            .update(routes), .replaceAll([routes]), .lease(until: 1 << 40), .lease(until: -1), .reportStatistics,
            .remove(DatabaseID(1), Epoch(2)),
        ] {
            var frames = FrameBuffer()
            frames.append(command.framed()[...])
            var reader = WireReader(try #require(try frames.next()))
            #expect(try ProxyCommand(from: &reader) == command)
        }
    }
}
