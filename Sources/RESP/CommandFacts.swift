/// Facts of the commands of redis-server 7.0: `name arity flags keys…`, subcommands as `container|name`.
///
/// Flags: `r` read-only, `w` write, `-` neither; `b` may block; `a` administrative. Keys are its key specifications in
/// short: `1` argument 1; `1..-2` from there to the one before the last; `/2` every other; `%2` the first half; `2#` as
/// many as argument 2 says; `STORE@6` behind that word, looked for from argument 6 on; `?` not told by the arguments.
/// How the proxy treats a command is in ``CommandHandling``. Commands that are not here (newer servers, modules) are
/// learnt from a shard when a client first uses them.
/// - Source: `COMMAND` of redis-server 7.0.15; a test compares every line with the server at hand.
let commandFacts: StaticString = """
    acl -2 -
    acl|cat -2 -
    acl|deluser -3 a
    acl|dryrun -4 a
    acl|genpass -2 -
    acl|getuser 3 a
    acl|help 2 -
    acl|list 2 a
    acl|load 2 a
    acl|log -2 a
    acl|save 2 a
    acl|setuser -3 a
    acl|users 2 a
    acl|whoami 2 -
    append 3 w 1
    asking 1 -
    auth -2 -
    bgrewriteaof 1 a
    bgsave -1 a
    bitcount -2 r 1
    bitfield -2 w 1
    bitfield_ro -2 r 1
    bitop -4 w 2 3..-1
    bitpos -3 r 1
    blmove 6 wb 1 2
    blmpop -5 wb 2#
    blpop -3 wb 1..-2
    brpop -3 wb 1..-2
    brpoplpush 4 wb 1 2
    bzmpop -5 wb 2#
    bzpopmax -3 wb 1..-2
    bzpopmin -3 wb 1..-2
    client -2 -
    client|caching 3 -
    client|getname 2 -
    client|getredir 2 -
    client|help 2 -
    client|id 2 -
    client|info 2 -
    client|kill -3 a
    client|list -2 a
    client|no-evict 3 a
    client|pause -3 a
    client|reply 3 -
    client|setname 3 -
    client|tracking -3 -
    client|trackinginfo 2 -
    client|unblock -3 a
    client|unpause 2 a
    cluster -2 -
    command -1 -
    command|count 2 -
    command|docs -2 -
    command|getkeys -4 -
    command|getkeysandflags -4 -
    command|help 2 -
    command|info -2 -
    command|list -2 -
    config -2 -
    config|get -3 a
    config|help 2 -
    config|resetstat 2 a
    config|rewrite 2 a
    config|set -4 a
    copy -3 w 1 2
    dbsize 1 r
    debug -2 a
    decr 2 w 1
    decrby 3 w 1
    del -2 w 1..-1
    discard 1 -
    dump 2 r 1
    echo 2 -
    eval -3 - 2#
    eval_ro -3 r 2#
    evalsha -3 - 2#
    evalsha_ro -3 r 2#
    exec 1 -
    exists -2 r 1..-1
    expire -3 w 1
    expireat -3 w 1
    expiretime 2 r 1
    failover -1 a
    fcall -3 - 2#
    fcall_ro -3 r 2#
    flushall -1 w
    flushdb -1 w
    function -2 -
    function|delete 3 w
    function|dump 2 -
    function|flush -2 w
    function|help 2 -
    function|kill 2 -
    function|list -2 -
    function|load -3 w
    function|restore -3 w
    function|stats 2 -
    geoadd -5 w 1
    geodist -4 r 1
    geohash -2 r 1
    geopos -2 r 1
    georadius -6 w 1 STORE@6 STOREDIST@6
    georadius_ro -6 r 1
    georadiusbymember -5 w 1 STORE@5 STOREDIST@5
    georadiusbymember_ro -5 r 1
    geosearch -7 r 1
    geosearchstore -8 w 1 2
    get 2 r 1
    getbit 3 r 1
    getdel 2 w 1
    getex -2 w 1
    getrange 4 r 1
    getset 3 w 1
    hdel -3 w 1
    hello -1 -
    hexists 3 r 1
    hget 3 r 1
    hgetall 2 r 1
    hincrby 4 w 1
    hincrbyfloat 4 w 1
    hkeys 2 r 1
    hlen 2 r 1
    hmget -3 r 1
    hmset -4 w 1
    hrandfield -2 r 1
    hscan -3 r 1
    hset -4 w 1
    hsetnx 4 w 1
    hstrlen 3 r 1
    hvals 2 r 1
    incr 2 w 1
    incrby 3 w 1
    incrbyfloat 3 w 1
    info -1 -
    keys 2 r
    lastsave 1 -
    latency -2 -
    latency|doctor 2 a
    latency|graph 3 a
    latency|help 2 -
    latency|histogram -2 a
    latency|history 3 a
    latency|latest 2 a
    latency|reset -2 a
    lcs -3 r 1..1
    lindex 3 r 1
    linsert 5 w 1
    llen 2 r 1
    lmove 5 w 1 2
    lmpop -4 w 1#
    lolwut -1 r
    lpop -2 w 1
    lpos -3 r 1
    lpush -3 w 1
    lpushx -3 w 1
    lrange 4 r 1
    lrem 4 w 1
    lset 4 w 1
    ltrim 4 w 1
    memory -2 -
    memory|doctor 2 -
    memory|help 2 -
    memory|malloc-stats 2 -
    memory|purge 2 -
    memory|stats 2 -
    memory|usage -3 r 2
    mget -2 r 1..-1
    migrate -6 w 3 KEYS@-2..-1?
    module -2 -
    monitor 1 a
    move 3 w 1
    mset -3 w 1..-1/2
    msetnx -3 w 1..-1/2
    multi 1 -
    object -2 -
    object|encoding 3 r 2
    object|freq 3 r 2
    object|help 2 -
    object|idletime 3 r 2
    object|refcount 3 r 2
    persist 2 w 1
    pexpire -3 w 1
    pexpireat -3 w 1
    pexpiretime 2 r 1
    pfadd -2 w 1
    pfcount -2 r 1..-1
    pfdebug 3 wa 2
    pfmerge -2 w 1 2..-1
    pfselftest 1 a
    ping -1 -
    psetex 4 w 1
    psubscribe -2 -
    psync -3 a
    pttl 2 r 1
    publish 3 -
    pubsub -2 -
    pubsub|channels -2 -
    pubsub|help 2 -
    pubsub|numpat 2 -
    pubsub|numsub -2 -
    pubsub|shardchannels -2 -
    pubsub|shardnumsub -2 -
    punsubscribe -1 -
    quit -1 -
    randomkey 1 r
    readonly 1 -
    readwrite 1 -
    rename 3 w 1 2
    renamenx 3 w 1 2
    replconf -1 a
    replicaof 3 a
    reset 1 -
    restore -4 w 1
    restore-asking -4 w 1
    role 1 -
    rpop -2 w 1
    rpoplpush 3 w 1 2
    rpush -3 w 1
    rpushx -3 w 1
    sadd -3 w 1
    save 1 a
    scan -2 r
    scard 2 r 1
    script -2 -
    script|debug 3 -
    script|exists -3 -
    script|flush -2 -
    script|help 2 -
    script|kill 2 -
    script|load 3 -
    sdiff -2 r 1..-1
    sdiffstore -3 w 1 2..-1
    select 2 -
    set -3 w 1
    setbit 4 w 1
    setex 4 w 1
    setnx 3 w 1
    setrange 4 w 1
    shutdown -1 a
    sinter -2 r 1..-1
    sintercard -3 r 1#
    sinterstore -3 w 1 2..-1
    sismember 3 r 1
    slaveof 3 a
    slowlog -2 -
    slowlog|get -2 a
    slowlog|help 2 -
    slowlog|len 2 a
    slowlog|reset 2 a
    smembers 2 r 1
    smismember -3 r 1
    smove 4 w 1 2
    sort -2 w 1 ? ?
    sort_ro -2 r 1 ?
    spop -2 w 1
    spublish 3 - 1
    srandmember -2 r 1
    srem -3 w 1
    sscan -3 r 1
    ssubscribe -2 - 1..-1
    strlen 2 r 1
    subscribe -2 -
    substr 4 r 1
    sunion -2 r 1..-1
    sunionstore -3 w 1 2..-1
    sunsubscribe -1 - 1..-1
    swapdb 3 w
    sync 1 a
    time 1 -
    touch -2 r 1..-1
    ttl 2 r 1
    type 2 r 1
    unlink -2 w 1..-1
    unsubscribe -1 -
    unwatch 1 -
    wait 3 -
    watch -2 - 1..-1
    xack -4 w 1
    xadd -5 w 1
    xautoclaim -6 w 1
    xclaim -6 w 1
    xdel -3 w 1
    xgroup -2 -
    xgroup|create -5 w 2
    xgroup|createconsumer 5 w 2
    xgroup|delconsumer 5 w 2
    xgroup|destroy 4 w 2
    xgroup|help 2 -
    xgroup|setid -5 w 2
    xinfo -2 -
    xinfo|consumers 4 r 2
    xinfo|groups 3 r 2
    xinfo|help 2 -
    xinfo|stream -3 r 2
    xlen 2 r 1
    xpending -3 r 1
    xrange -4 r 1
    xread -4 rb STREAMS@1..-1%2
    xreadgroup -7 wb STREAMS@4..-1%2
    xrevrange -4 r 1
    xsetid -3 w 1
    xtrim -4 w 1
    zadd -4 w 1
    zcard 2 r 1
    zcount 4 r 1
    zdiff -3 r 1#
    zdiffstore -4 w 1 2#
    zincrby 4 w 1
    zinter -3 r 1#
    zintercard -3 r 1#
    zinterstore -4 w 1 2#
    zlexcount 4 r 1
    zmpop -4 w 1#
    zmscore -3 r 1
    zpopmax -2 w 1
    zpopmin -2 w 1
    zrandmember -2 r 1
    zrange -4 r 1
    zrangebylex -4 r 1
    zrangebyscore -4 r 1
    zrangestore -5 w 1 2
    zrank 3 r 1
    zrem -3 w 1
    zremrangebylex 4 w 1
    zremrangebyrank 4 w 1
    zremrangebyscore 4 w 1
    zrevrange -4 r 1
    zrevrangebylex -4 r 1
    zrevrangebyscore -4 r 1
    zrevrank 3 r 1
    zscan -3 r 1
    zscore 3 r 1
    zunion -3 r 1#
    zunionstore -4 w 1 2#
    """
