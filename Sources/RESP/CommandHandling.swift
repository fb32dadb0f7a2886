/// What the proxy does with a command. One case is one way through the code.
@usableFromInline package enum CommandHandling: UInt8, Sendable {
    /// One key, argument 1: goes to the shard of its slot without another look. Nearly all traffic.
    case key
    /// Several keys by position; all of one slot.
    case keys
    /// Keys behind a count (EVAL, ZUNION, LMPOP, …), all of one slot.
    case countedKeys
    /// XREAD, XREADGROUP: the first half of what follows STREAMS.
    case streams
    /// MOVE, COPY: may name a logical database, of which a sharded one has no second.
    case otherDatabase
    /// SORT, GEORADIUS: argument 1 and what follows STORE.
    case storeOption
    /// Split over shards, merged into one reply.
    case mget, mset, countOfKeys
    /// No key: any shard can answer.
    case anyShard
    /// No key, and everybody has to meet at the same shard: PUBLISH.
    case firstShard
    /// To every shard; the name says how the replies become one.
    case allShardsOK, allShardsSum, allShardsList, allShardsAny, allShardsInfo
    case scan
    /// Containers that mix kinds: the subcommand decides.
    case script, function, object, memory, xgroup, latency, slowlog, pubsub
    /// Answered by the proxy.
    case auth, hello, ping, echo, quit, select, client, commandInfo, time, config, reset, role, acl, lastsave
    case readonly
    case multi, exec, discard, watch, unwatch
    case subscribe, shardSubscribe, unsubscribe, wait, monitor
    /// Never reaches a shard; `unknown command` so that clients fall back.
    case refused
    /// Never reaches a shard; `-NOPERM`.
    case notPermitted
}

extension CommandHandling {
    /// Handling of the commands that aren't told by their key positions alone.
    static let special: [String: CommandHandling] = [
        "mget": .mget, "mset": .mset, "del": .countOfKeys, "unlink": .countOfKeys, "exists": .countOfKeys,
        "touch": .countOfKeys, "lolwut": .anyShard, "publish": .firstShard, "pubsub": .pubsub,
        "flushall": .allShardsOK, "flushdb": .allShardsOK, "dbsize": .allShardsSum, "keys": .allShardsList,
        "randomkey": .allShardsAny, "info": .allShardsInfo, "scan": .scan, "script": .script, "function": .function,
        "object": .object, "memory": .memory, "xinfo": .object, "xgroup": .xgroup, "latency": .latency,
        "slowlog": .slowlog, "auth": .auth, "hello": .hello, "ping": .ping, "echo": .echo, "quit": .quit,
        "select": .select, "client": .client, "command": .commandInfo, "time": .time, "config": .config,
        "reset": .reset, "role": .role, "acl": .acl, "lastsave": .lastsave, "readonly": .readonly,
        "readwrite": .readonly, "multi": .multi, "exec": .exec, "discard": .discard, "watch": .watch,
        "unwatch": .unwatch, "subscribe": .subscribe, "psubscribe": .subscribe, "ssubscribe": .shardSubscribe,
        "unsubscribe": .unsubscribe, "punsubscribe": .unsubscribe, "sunsubscribe": .unsubscribe, "wait": .wait,
        "monitor": .monitor, "sort": .storeOption, "sort_ro": .key, "georadius": .storeOption,
        "georadiusbymember": .storeOption, "xread": .streams, "xreadgroup": .streams, "asking": .refused,
        "cluster": .refused, "debug": .refused, "failover": .refused, "migrate": .refused, "module": .refused,
        "replconf": .refused, "restore-asking": .refused, "swapdb": .otherDatabase, "pfdebug": .refused,
        "pfselftest": .refused, "move": .otherDatabase, "copy": .otherDatabase, "save": .notPermitted,
        "bgsave": .notPermitted,
        "bgrewriteaof": .notPermitted, "shutdown": .notPermitted, "replicaof": .notPermitted,
        "slaveof": .notPermitted, "psync": .notPermitted, "sync": .notPermitted,
    ]

    /// On a database of one shard such a command is passed on as it is, whatever its keys.
    var passesWholeToSingleShard: Bool {
        switch self {
        case .key, .keys, .otherDatabase, .countedKeys, .streams, .storeOption, .mget, .mset, .countOfKeys, .anyShard,
            .firstShard,
            .allShardsOK, .allShardsSum, .allShardsList, .allShardsAny, .scan:
            true
        default: false
        }
    }
}
