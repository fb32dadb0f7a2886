import ClusterModel
import Primitives
import ShardControl
import Testing

@Suite struct ConfigurationFileTests {
    private let secrets = ShardSecrets(manager: "m4nager", proxy: "pr0xy", replica: "r3plica")

    private func settings(
        primary: ShardPeer? = nil, limit: ByteCount = .megabytes(200), persistence: Persistence = .none
    ) -> ShardSettings {
        ShardSettings(
            shard: ShardID(7), directory: "/var/lib/tarn/shards/7", address: "10.0.0.2", port: 20007,
            certificatePath: "/pki/node.crt", privateKeyPath: "/pki/node.key", authorityPath: "/pki/ca.crt",
            primary: primary, memoryLimit: limit, eviction: .volatileLRU, persistence: persistence, secrets: secrets)
    }

    private func lines(_ settings: ShardSettings) -> Set<String> {
        Set(ShardConfigurationFile.text(settings).split(separator: "\n").map(String.init))
    }

    @Test func wholeText() {
        let text = ShardConfigurationFile.text(
            settings(
                primary: ShardPeer(host: "10.0.0.1", port: 20001),
                persistence: .snapshot([
                    SnapshotRule(seconds: 3600, writes: 1), SnapshotRule(seconds: 60, writes: 10),
                ])))
        #expect(text == golden)
    }

    @Test func persistence() {
        #expect(lines(settings()).isSuperset(of: ["save \"\"", "appendonly no"]))
        #expect(
            lines(settings(persistence: .appendOnly(everyWrite: false)))
                .isSuperset(of: ["save \"\"", "appendonly yes", "appendfsync everysec"]))
        #expect(lines(settings(persistence: .appendOnly(everyWrite: true))).contains("appendfsync always"))
    }

    @Test func backlogIsOnePercentWithinBounds() {
        #expect(settings(limit: .megabytes(10)).replicationBacklog == .megabytes(1))
        #expect(settings(limit: .zero).replicationBacklog == .megabytes(1))
        #expect(settings(limit: .megabytes(500)).replicationBacklog == .megabytes(5))
        #expect(settings(limit: .gigabytes(100)).replicationBacklog == .megabytes(250))
    }

    @Test func primaryHasNoReplicaLine() {
        #expect(!ShardConfigurationFile.isReplica(ShardConfigurationFile.text(settings())))
        let replica = settings(primary: ShardPeer(host: "10.0.0.1", port: 20001))
        #expect(ShardConfigurationFile.isReplica(ShardConfigurationFile.text(replica)))
    }

    @Test func pathsAreQuoted() {
        var odd = settings()
        odd.directory = "/home/a \"b\" \\c"
        #expect(lines(odd).contains(#"dir "/home/a \"b\" \\c""#))
    }

    @Test func changesAreWhatDiffers() {
        let old = settings()
        let text = ShardConfigurationFile.text(old)
        #expect(ShardConfigurationFile.changes(from: text, to: old).isEmpty)

        var new = old
        new.memoryLimit = .megabytes(100)
        new.eviction = .noEviction
        new.persistence = .appendOnly(everyWrite: false)
        let changes = ShardConfigurationFile.changes(from: text, to: new)
        // 1 % of both limits is below the least backlog or equal to it: only one of the two is new.
        #expect(
            changes.parameters == [
                ShardParameter("maxmemory", "104857600"), ShardParameter("maxmemory-policy", "noeviction"),
                ShardParameter("appendonly", "yes"), ShardParameter("repl-backlog-size", "1048576"),
            ])
        #expect(changes.users == [])

        var rotated = old
        rotated.secrets.proxy = "new"
        #expect(ShardConfigurationFile.changes(from: text, to: rotated).users.map(\.name) == ["proxy"])
        // A change of role is not a setting.
        var demoted = old
        demoted.primary = ShardPeer(host: "10.0.0.1", port: 20001)
        #expect(ShardConfigurationFile.changes(from: text, to: demoted).isEmpty)
        // No file: everything has to be said.
        #expect(ShardConfigurationFile.changes(from: "", to: old).parameters == old.runtimeParameters)
    }

    /// What a client set goes into the file, and is told to the running shard when it changes; the proxies' own isn't.
    @Test func settingsOfTheDatabase() throws {
        var old = settings()
        old.settings.values = ["timeout": "30", "slowlog-max-len": "64", "notify-keyspace-events": ""]
        #expect(lines(old).isSuperset(of: ["slowlog-max-len 64", "notify-keyspace-events \"\""]))
        #expect(!lines(old).contains("timeout 30"))
        var new = old
        new.settings.values["slowlog-max-len"] = "32"
        new.settings.values["latency-tracking"] = "yes"
        new.settings.values["timeout"] = "60"
        #expect(
            ShardConfigurationFile.changes(from: ShardConfigurationFile.text(old), to: new).parameters == [
                ShardParameter("latency-tracking", "yes"), ShardParameter("slowlog-max-len", "32"),
            ])
    }

    /// What clients want less of is memory for data, no smaller backlog: replicas need that as before.
    @Test func theLoweredLimitIsMaxmemoryAlone() {
        let old = settings()
        var new = old
        new.loweredMemoryLimit = .megabytes(5)
        #expect(
            ShardConfigurationFile.changes(from: ShardConfigurationFile.text(old), to: new).parameters
                == [ShardParameter("maxmemory", "5242880")])
    }

    @Test func managerPasswordIsRead() {
        #expect(ShardConfigurationFile.managerPassword(in: ShardConfigurationFile.text(settings())) == "m4nager")
        #expect(ShardConfigurationFile.managerPassword(in: "port 0\n") == nil)
    }

    private let golden = """
        # Shard 7, written by Tarn. Changes made here are lost.
        daemonize no
        supervised no
        dir "/var/lib/tarn/shards/7"
        unixsocket shard.sock
        unixsocketperm 600
        port 0
        protected-mode yes
        databases 16
        maxclients 10000
        timeout 0
        tcp-keepalive 60
        loglevel notice
        logfile ""
        always-show-logo no
        set-proc-title yes
        crash-log-enabled yes
        io-threads 1
        enable-debug-command no
        enable-module-command no
        bind 10.0.0.2
        tls-port 20007
        tls-cert-file "/pki/node.crt"
        tls-key-file "/pki/node.key"
        tls-ca-cert-file "/pki/ca.crt"
        tls-auth-clients yes
        tls-replication yes
        tls-cluster no
        tls-protocols "TLSv1.2 TLSv1.3"
        tls-session-caching yes
        masteruser replica
        replica-announce-ip 10.0.0.2
        replica-announce-port 20007
        replica-read-only yes
        replica-serve-stale-data no
        repl-diskless-sync yes
        repl-diskless-sync-delay 0
        repl-diskless-load on-empty-db
        repl-timeout 60
        repl-ping-replica-period 2
        repl-disable-tcp-nodelay no
        shutdown-timeout 5
        replicaof 10.0.0.1 20001
        stop-writes-on-bgsave-error no
        rdbcompression yes
        rdbchecksum yes
        dbfilename dump.rdb
        rdb-del-sync-files yes
        aof-use-rdb-preamble yes
        aof-load-truncated yes
        no-appendfsync-on-rewrite no
        auto-aof-rewrite-percentage 100
        auto-aof-rewrite-min-size 64mb
        maxmemory 209715200
        maxmemory-policy volatile-lru
        save 3600 1 60 10
        appendonly no
        appendfsync everysec
        repl-backlog-size 2097152
        masterauth r3plica
        min-replicas-to-write 0
        min-replicas-max-lag 3
        user default off
        user manager on >m4nager ~* &* +@all
        user proxy on >pr0xy ~* &* +@all -@admin -@dangerous +keys +flushall +flushdb +sort +sort_ro +restore +swapdb \
        +info +role +lastsave +monitor +config|get +config|resetstat +slowlog|get +slowlog|len +slowlog|reset \
        +latency|histogram +latency|history +latency|latest +latency|reset +client|unblock
        user replica on >r3plica +psync +replconf +ping

        """
}
