import ShardControl
import Testing

@Suite struct ReplyTests {
    @Test func everySplitGivesTheSameReplies() throws {
        let text =
            "+OK\r\n-NOPERM no\r\n:-42\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n"
            + "*3\r\n:1\r\n*1\r\n$0\r\n\r\n+x\r\n$0\r\n\r\n"
        let expected: [ShardReply] = [
            .simple("OK"), .error("NOPERM no"), .integer(-42), .bulk(Array("a\r\nbc".utf8)), .bulk(nil), .array(nil),
            .array([.integer(1), .array([.bulk([])]), .simple("x")]), .bulk([]),
        ]
        let bytes = Array(text.utf8)
        for split in 0...bytes.count {
            var decoder = ShardReplyDecoder()
            var replies: [ShardReply] = []
            for part in [bytes[..<split], bytes[split...]] {
                decoder.append(part)
                while let reply = try decoder.next() { replies.append(reply) }
            }
            #expect(replies == expected, "split at \(split)")
        }
    }

    @Test(arguments: [
        "?\r\n", "\r\n", "OK\n", ":x\r\n", "$x\r\n", "$99999999999\r\n",
        String(repeating: "*1\r\n", count: 10),
    ])
    func nonsenseIsRefused(text: String) {
        var decoder = ShardReplyDecoder()
        decoder.append(text.utf8)
        let error = #expect(throws: ShardError.self) { try decoder.next() }
        #expect(error?.code == .protocolViolation)
    }
}

@Suite struct InformationTests {
    @Test func primary() throws {
        let information = try ShardInformation(
            parsing: """
                # Server\r
                process_id:71\r
                uptime_in_seconds:12\r
                used_memory:1000\r
                loading:0\r
                rdb_last_bgsave_status:err\r
                role:master\r
                connected_slaves:3\r
                slave0:ip=127.0.0.3,port=20001,state=online,offset=14,lag=0\r
                slave1:ip=127.0.0.2,port=20009,state=wait_bgsave,offset=0,lag=0\r
                slave2:ip=127.0.0.2,port=20001,state=online,offset=14,lag=2\r
                slave_repl_offset:3\r
                master_failover_state:waiting-for-sync\r
                master_repl_offset:99\r
                db0:keys=4,expires=0,avg_ttl=0\r
                db1:keys=2,expires=0,avg_ttl=0\r
                """)
        #expect(information.role == .primary)
        #expect(information.pid == 71 && information.uptimeSeconds == 12 && information.usedMemoryBytes == 1000)
        #expect(information.keys == 6 && information.replicationOffset == 99)
        #expect(information.isPersistenceFailing && !information.isLoading)
        #expect(information.attachedReplicas.map(\.port) == [20001, 20009, 20001])
        #expect(
            information.onlineReplicas == [
                ShardPeer(host: "127.0.0.2", port: 20001), ShardPeer(host: "127.0.0.3", port: 20001),
            ])
        #expect(information.silentReplicas == [ShardPeer(host: "127.0.0.2", port: 20001)])
    }

    @Test func replica() throws {
        let information = try ShardInformation(
            parsing: """
                role:slave
                master_host:10.0.0.1
                master_port:20001
                master_link_status:up
                master_sync_in_progress:1
                slave_repl_offset:55
                loading:1
                master_failover_state:no-failover
                """)
        #expect(information.role == .replica(of: ShardPeer(host: "10.0.0.1", port: 20001)))
        #expect(information.isLinkUp && information.isSynchronizing && information.isLoading)
        #expect(information.replicationOffset == 55)
    }

    @Test func withoutARoleItIsNoShard() {
        #expect(throws: ShardError.self) { try ShardInformation(parsing: "loading:0") }
    }
}
