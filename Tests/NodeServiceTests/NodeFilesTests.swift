import ClusterModel
import NodeLayout
import NodeService
import Testing

@Suite struct NodeFilesTests {
    @Test func aMissingFileNamesTheRemedy() {
        let error = #expect(throws: NodeSettingsError.self) { try NodeSettings.load(prefix: "/nowhere/at/all") }
        #expect(error?.description.contains("tarn install --prefix /nowhere/at/all") == true)
    }

    @Test func aShardsFilesAreInADirectoryOfItsNumber() {
        #expect(NodePaths(prefix: "/").shardSocket(ShardID(3)) == "/var/lib/tarn/shards/3/shard.sock")
    }
}
