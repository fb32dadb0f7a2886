/// What the proxy does with a command. One case is one way through the code.
@usableFromInline package enum CommandHandling: UInt8, Sendable {
    /// One key, argument 1: goes to the shard of its slot without another look. Nearly all traffic.
    case key
    /// Keys that the key specifications find; all of one slot.
    case keys
    /// Keys that the specifications don't find: a shard is asked (`COMMAND GETKEYS`) where it matters.
    case keysByShard
    /// SORT: its options follow no specification, and its patterns reach keys of their own.
    case sort
    /// MOVE, COPY, SWAPDB: may name a logical database, of which a sharded one has no second.
    case otherDatabase
    /// Split over shards, merged into one reply.
    case mget, mset, countOfKeys
    /// Of sets; each shard does its part, and the results are joined here.
    case sunion, sinter, sdiff
    /// No key: any shard can answer.
    case anyShard
    /// No key, and everybody has to meet at the same shard: PUBLISH.
    case firstShard
    /// To every shard; the name says how the replies become one.
    case allShardsOK, allShardsSum, allShardsList, allShardsInfo, allShardsFirst, allShardsEvery
    /// KILL of a script: one shard has it to kill.
    case allShardsAnyOK
    /// On their way to every shard they are noted here.
    case scriptLoad, scriptFlush
    case functionStats, latencyHistogram, latencyLatest, latencyHistory, latencyReport, slowlogGet, slowlogLength,
        namedCounts
    case randomKey, scan
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
    /// Handling of a command that isn't told by its keys and flags alone. A subcommand without an entry goes the way
    /// of its container, where that has one.
    package static func special(_ name: String) -> CommandHandling? {
        if let own = named[name] { return own }
        guard let bar = name.firstIndex(of: "|") else { return nil }
        return named[String(name[..<bar])]
    }

    private static let named: [String: CommandHandling] = [
        "mget": .mget, "mset": .mset, "del": .countOfKeys, "unlink": .countOfKeys, "exists": .countOfKeys,
        "touch": .countOfKeys, "sunion": .sunion, "sinter": .sinter, "sdiff": .sdiff, "lolwut": .anyShard,
        "publish": .firstShard, "pubsub": .firstShard, "pubsub|shardchannels": .allShardsList,
        "pubsub|shardnumsub": .namedCounts,
        "flushall": .allShardsOK, "flushdb": .allShardsOK, "dbsize": .allShardsSum, "keys": .allShardsList,
        "randomkey": .randomKey, "info": .allShardsInfo, "scan": .scan, "sort": .sort, "sort_ro": .sort,
        "script": .notPermitted, "script|load": .scriptLoad, "script|exists": .allShardsEvery,
        "script|flush": .scriptFlush, "script|kill": .allShardsAnyOK, "script|help": .anyShard,
        "function": .notPermitted, "function|load": .allShardsFirst, "function|delete": .allShardsFirst,
        "function|flush": .allShardsFirst, "function|restore": .allShardsFirst, "function|kill": .allShardsAnyOK,
        "function|list": .firstShard, "function|dump": .firstShard, "function|stats": .functionStats,
        "function|help": .anyShard, "memory": .notPermitted, "memory|usage": .keys, "memory|help": .anyShard,
        "latency": .notPermitted, "latency|histogram": .latencyHistogram, "latency|help": .anyShard,
        "latency|latest": .latencyLatest, "latency|history": .latencyHistory, "latency|reset": .allShardsSum,
        "latency|doctor": .latencyReport, "latency|graph": .latencyReport,
        "slowlog": .notPermitted, "slowlog|len": .slowlogLength, "slowlog|get": .slowlogGet,
        "slowlog|reset": .allShardsOK, "slowlog|help": .anyShard, "auth": .auth, "hello": .hello, "ping": .ping,
        "echo": .echo, "quit": .quit, "select": .select, "client": .client, "command": .commandInfo, "time": .time,
        "config": .config, "reset": .reset, "role": .role, "acl": .acl, "lastsave": .lastsave, "readonly": .readonly,
        "readwrite": .readonly, "multi": .multi, "exec": .exec, "discard": .discard, "watch": .watch,
        "unwatch": .unwatch, "subscribe": .subscribe, "psubscribe": .subscribe, "ssubscribe": .shardSubscribe,
        "unsubscribe": .unsubscribe, "punsubscribe": .unsubscribe, "sunsubscribe": .unsubscribe, "wait": .wait,
        "monitor": .monitor, "asking": .refused, "cluster": .refused, "debug": .refused, "failover": .refused,
        "migrate": .refused, "module": .refused, "replconf": .refused, "restore-asking": .refused,
        "swapdb": .otherDatabase,
        "pfdebug": .refused, "pfselftest": .refused, "move": .otherDatabase, "copy": .otherDatabase,
        "save": .notPermitted,
        "bgsave": .notPermitted, "bgrewriteaof": .notPermitted, "shutdown": .notPermitted,
        "replicaof": .notPermitted, "slaveof": .notPermitted, "psync": .notPermitted, "sync": .notPermitted,
    ]

    /// On a database of one shard such a command is passed on as it is, whatever its keys.
    var passesWholeToSingleShard: Bool {
        switch self {
        case .key, .keys, .otherDatabase, .namedCounts, .keysByShard, .sort, .mget, .mset, .sunion, .sinter, .sdiff,
            .countOfKeys, .anyShard, .firstShard,
            .allShardsOK, .allShardsSum, .allShardsList, .randomKey, .scan, .allShardsFirst, .allShardsEvery,
            .slowlogGet, .latencyLatest, .latencyHistory, .latencyReport:
            true
        default: false
        }
    }

    /// Every shard executes it, so that one request is in the slow log of each.
    package var isForAllShards: Bool {
        switch self {
        case .allShardsOK, .allShardsSum, .allShardsList, .allShardsInfo, .allShardsFirst, .allShardsEvery,
            .allShardsAnyOK, .scriptLoad, .scriptFlush, .functionStats, .latencyHistogram, .latencyLatest,
            .latencyHistory, .latencyReport, .slowlogGet, .slowlogLength, .namedCounts, .randomKey, .lastsave:
            true
        default: false
        }
    }
}
