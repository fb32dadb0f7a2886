/// Every command that an endpoint supports, as patterns, by group (``CommandPattern``).
enum DifferentialCommands {
    static let groups: [[CommandPattern]] =
        [strings, bits, hashes, lists, sets, sortedSets, streams, places, generic, expiry, scripts, server, errors]
        .map { $0.map(CommandPattern.init) }

    /// One of these comes now and then only, since little is left to compare behind it.
    static let emptying = ["FLUSHALL", "FLUSHDB", "FLUSHALL SYNC", "FLUSHDB ASYNC"].map(CommandPattern.init)

    /// Within a transaction; what a proxy answers itself, or out of the answers of all shards.
    static let beyondTheBlock = [
        "SELECT 0", "SELECT abc", "CLIENT GETNAME", "CLIENT SETNAME $f", "? CLIENT ID", "CLIENT GETREDIR",
        "CLIENT NO-EVICT on", "CLIENT NO-EVICT perhaps", "ACL WHOAMI", "CONFIG GET maxmemory-samples",
        "CONFIG GET timeout", "CONFIG SET nosuch $i", "CONFIG SET maxmemory-samples $v", "CONFIG RESETSTAT", "ROLE",
        "READONLY", "AUTH $v", "? HELLO", "HELLO 9", "? LASTSAVE", "WAIT 0 0", "WAIT 1 0", "= DBSIZE", "~ KEYS *",
        "? INFO server", "SCRIPT LOAD return(redis.call('type',KEYS[1]))", "SCRIPT EXISTS $v", "FUNCTION LOAD $v",
        "FUNCTION DELETE nosuch", "SCRIPT KILL", "COMMAND COUNT", "PING", "ECHO $v", "? TIME", "? RANDOMKEY", "SAVE",
        "SCAN abc", "LATENCY RESET", "CLIENT NOSUCH", "CONFIG GET", "WATCH $k", "MULTI",
    ].map(CommandPattern.init)

    private static let strings = [
        "GET $s", "get $s", "GeT $s", "SET $s $v", "SET $s $v [ EX $secs | PX $ms | EXAT $at | PXAT $atms | KEEPTTL ]",
        "SET $s $v ( NX | XX ) [ GET ]", "SET $s $v GET", "SETNX $s $v", "SETEX $s $secs $v", "PSETEX $s $ms $v",
        "GETSET $s $v", "GETDEL $s", "GETEX $s [ EX $secs | PX $ms | PERSIST ]", "APPEND $s $v", "STRLEN $s",
        "GETRANGE $s $i $i", "SUBSTR $s $index $index", "SETRANGE $s $off $v", "INCR $s", "DECR $s", "INCRBY $s $i",
        "DECRBY $s $i", "INCRBYFLOAT $s $d", "+ MGET { $s }", "+ MGET { $k }", "+ MSET { $s $v }", "MSETNX { $s $v }",
        "LCS $s $s [ LEN | IDX | IDX MINMATCHLEN $n | IDX WITHMATCHLEN ]", "+ MSET $s $v $s",
    ]

    private static let bits = [
        "SETBIT $s $off $bit", "GETBIT $s $off", "BITCOUNT $s [ $i $i | $i $i BYTE | $i $i BIT ]",
        "BITPOS $s $bit [ $index | $index $index | $index $index BIT ]",
        "BITOP ( AND | OR | XOR ) $s { $s }", "BITOP NOT $s $s", "BITFIELD $s GET $type $off",
        "BITFIELD $s { SET $type $off $i }", "BITFIELD $s OVERFLOW ( WRAP | SAT | FAIL ) INCRBY $type $off $i",
        "BITFIELD_RO $s { GET $type $off }", "PFADD $p { $f }", "PFADD $p", "PFCOUNT $p", "PFCOUNT { $p }",
        "PFMERGE $p { $p }",
    ]

    private static let hashes = [
        "HSET $h { $f $v }", "HMSET $h { $f $v }", "HSETNX $h $f $v", "HGET $h $f", "HMGET $h { $f }", "% HGETALL $h",
        "HDEL $h { $f }", "HEXISTS $h $f", "HLEN $h", "HSTRLEN $h $f", "HINCRBY $h $f $i", "HINCRBYFLOAT $h $f $d",
        "~ HKEYS $h", "~ HVALS $h", "? HRANDFIELD $h", "? HRANDFIELD $h $index", "? HRANDFIELD $h $n WITHVALUES",
        "~ HSCAN $h 0 COUNT 1000", "~ HSCAN $h 0 MATCH $pattern COUNT 1000",
    ]

    private static let lists = [
        "LPUSH $l { $v }", "RPUSH $l { $v }", "LPUSHX $l $v", "RPUSHX $l { $v }", "LPOP $l [ $n ]", "RPOP $l [ $n ]",
        "LLEN $l", "LRANGE $l $index $index", "LRANGE $l 0 -1", "LINDEX $l $index", "LSET $l $index $v",
        "LREM $l $index $v", "LTRIM $l $index $index", "LINSERT $l ( BEFORE | AFTER ) $v $v",
        "LPOS $l $v [ RANK $index | COUNT $n | MAXLEN $n ]", "LMOVE $l $l ( LEFT | RIGHT ) ( LEFT | RIGHT )",
        "RPOPLPUSH $l $l", "LMPOP #l ( LEFT | RIGHT ) [ COUNT $n ]", "BLPOP { $l } 0.001", "BRPOP { $l } 0.001",
        "BLMOVE $l $l LEFT RIGHT 0.001", "BRPOPLPUSH $l $l 0.001", "BLMPOP 0.001 #l LEFT",
        "SORT $l [ ALPHA | DESC | LIMIT $n $n ]", "SORT $l ALPHA STORE $l", "SORT_RO $l ALPHA",
        "~ SORT $l BY nosort GET #",
    ]

    private static let sets = [
        "SADD $t { $f }", "SADD $t { $i }", "SADD $t { $v }", "SREM $t { $f }", "~ SMEMBERS $t", "SCARD $t",
        "SISMEMBER $t $f", "SMISMEMBER $t { $f }", "~ SPOP $t 100000", "? SRANDMEMBER $t", "? SRANDMEMBER $t $index",
        "SMOVE $t $t $f", "~ + SINTER { $t }", "~ + SUNION { $t }", "~ + SDIFF { $t }", "SINTERSTORE $t { $t }",
        "SUNIONSTORE $t { $t }", "SDIFFSTORE $t { $t }", "SINTERCARD #t [ LIMIT $n ]", "~ SSCAN $t 0 COUNT 1000",
        "~ SSCAN $t 0 MATCH $pattern COUNT 1000", "SORT $t ALPHA [ DESC ]",
    ]

    private static let sortedSets = [
        "ZADD $z { $d $f }", "ZADD $z [ NX | XX | GT | LT ] [ CH ] $d $f", "ZADD $z INCR $d $f", "ZREM $z { $f }",
        "ZCARD $z", "ZCOUNT $z $range $range", "ZLEXCOUNT $z $lex $lex", "ZSCORE $z $f", "ZMSCORE $z { $f }",
        "ZINCRBY $z $d $f", "ZRANK $z $f", "ZREVRANK $z $f", "ZRANGE $z $index $index [ REV ] [ WITHSCORES ]",
        "ZRANGE $z $range $range BYSCORE [ REV ] [ LIMIT $n $n ] [ WITHSCORES ]", "ZRANGE $z $lex $lex BYLEX [ REV ]",
        "ZRANGEBYSCORE $z $range $range [ WITHSCORES ] [ LIMIT $n $n ]", "ZREVRANGEBYSCORE $z $range $range",
        "ZRANGEBYLEX $z $lex $lex", "ZREVRANGEBYLEX $z $lex $lex", "ZREVRANGE $z $index $index",
        "ZRANGESTORE $z $z $index $index", "ZREMRANGEBYRANK $z $index $index", "ZREMRANGEBYSCORE $z $range $range",
        "ZREMRANGEBYLEX $z $lex $lex", "ZPOPMIN $z [ $n ]", "ZPOPMAX $z [ $n ]", "ZMPOP #z ( MIN | MAX ) [ COUNT $n ]",
        "BZPOPMIN { $z } 0.001", "BZPOPMAX { $z } 0.001", "BZMPOP 0.001 #z MIN", "? ZRANDMEMBER $z [ $index ]",
        "ZUNION #z [ AGGREGATE MAX ] [ WITHSCORES ]", "ZINTER #z [ WITHSCORES ]", "ZDIFF #z [ WITHSCORES ]",
        "ZUNIONSTORE $z #z [ AGGREGATE MIN ]", "ZUNIONSTORE $z 2 $z $z WEIGHTS 2 $d", "ZINTERSTORE $z #z",
        "ZDIFFSTORE $z #z", "ZINTERCARD #z [ LIMIT $n ]", "~ ZSCAN $z 0 COUNT 1000", "ZUNION 2 $z $t WITHSCORES",
    ]

    private static let streams = [
        "XADD $x $newid { $f $v }", "XADD $x NOMKSTREAM $newid $f $v", "XADD $x MAXLEN ( = | ~ ) 20 $newid $f $v",
        "XLEN $x", "XRANGE $x - + [ COUNT $n ]", "XRANGE $x $id $id", "XREVRANGE $x + - COUNT $n", "XDEL $x { $id }",
        "XTRIM $x MAXLEN [ ~ ] 10", "XTRIM $x MINID $id", "XREAD COUNT 3 STREAMS $x $id", "XREAD STREAMS $x $x $id $id",
        "XREAD BLOCK 1 STREAMS $x $", "XGROUP CREATE $x $group ( 0 | $ ) [ MKSTREAM ]", "XGROUP DESTROY $x $group",
        "XGROUP SETID $x $group $id", "XGROUP CREATECONSUMER $x $group $f", "XGROUP DELCONSUMER $x $group $f",
        "XREADGROUP GROUP $group $f COUNT 2 STREAMS $x >", "XREADGROUP GROUP $group $f STREAMS $x $id",
        "XREADGROUP GROUP $group $f BLOCK 1 STREAMS $x >", "XACK $x $group { $id }", "XPENDING $x $group",
        "? XPENDING $x $group - + 10", "XCLAIM $x $group $f 0 { $id } JUSTID", "XAUTOCLAIM $x $group $f 0 0-0 COUNT 3",
        "XSETID $x 40-0", "XINFO STREAM $x", "XINFO GROUPS $x", "? XINFO CONSUMERS $x $group",
        "? XINFO STREAM $x FULL COUNT 1",
    ]

    private static let places = [
        "GEOADD $g { $lon $lat $f }", "GEOADD $g ( NX | XX ) CH $lon $lat $f", "GEODIST $g $f $f [ km ]",
        "GEOHASH $g { $f }", "GEOPOS $g { $f }", "GEOSEARCH $g FROMMEMBER $f BYRADIUS 900 km ASC [ WITHDIST ]",
        "GEOSEARCH $g FROMLONLAT $lon $lat BYBOX 900 900 km DESC WITHCOORD WITHHASH COUNT 3",
        "GEOSEARCHSTORE $g $g FROMLONLAT $lon $lat BYRADIUS 2000 km ASC [ STOREDIST ]",
        "GEORADIUS $g $lon $lat 900 km ASC WITHDIST", "GEORADIUS $g $lon $lat 900 km STORE $g",
        "GEORADIUSBYMEMBER $g $f 900 km ASC", "GEORADIUSBYMEMBER_RO $g $f 900 km ASC COUNT 2",
        "GEORADIUS_RO $g $lon $lat 900 km DESC", "GEORADIUSBYMEMBER $g $f 900 km STOREDIST $g",
    ]

    private static let generic = [
        "+ DEL { $k }", "+ UNLINK { $k }", "+ EXISTS { $k }", "+ TOUCH { $k }", "TYPE $k", "RENAME $k $k",
        "RENAMENX $k $k", "COPY $k $k [ REPLACE ]", "? DUMP $k", "OBJECT ENCODING $k", "OBJECT REFCOUNT $k",
        "? OBJECT IDLETIME $k", "OBJECT FREQ $k", "OBJECT HELP", "? MEMORY USAGE $k [ SAMPLES 0 ]", "~ KEYS *",
        "~ KEYS *$n", "~ KEYS {t}*", "DBSIZE", "? RANDOMKEY", "RESTORE $k 0 $blob",
    ]

    private static let expiry = [
        "EXPIRE $k $secs [ NX | XX | GT | LT ]", "PEXPIRE $k $ms", "EXPIREAT $k $at", "PEXPIREAT $k $atms [ GT ]",
        "= TTL $k", "= PTTL $k", "= EXPIRETIME $k", "= PEXPIRETIME $k", "PERSIST $k", "EXPIRE $k -1",
    ]

    // What EVALSHA runs was never given to EVAL, which loads a script on one shard only.
    private static let scripts = [
        "EVAL return(redis.call('get',KEYS[1])) 1 $s", "EVAL return(redis.call('set',KEYS[1],ARGV[1])) 1 $s $v",
        "EVAL return{KEYS[1],KEYS[2],ARGV[1],3,false} 2 $k $k $v", "EVAL return(redis.call('incr',KEYS[1])) 1 $k",
        "EVAL return(redis.error_reply('MINE')) 0", "EVAL return(1 0", "EVAL return(redis.call('nosuch')) 0",
        "EVAL_RO return(redis.call('get',KEYS[1])) 1 $s", "EVAL_RO return(redis.call('del',KEYS[1])) 1 $s",
        "SCRIPT LOAD return(redis.call('strlen',KEYS[1]))", "EVALSHA b18940720238cb8d730c0324a37f0ac90425e8e1 1 $s",
        "EVALSHA_RO b18940720238cb8d730c0324a37f0ac90425e8e1 1 $s", "EVALSHA ffff 0",
        "SCRIPT EXISTS b18940720238cb8d730c0324a37f0ac90425e8e1 ffff", "FCALL put 1 $s $v", "FCALL both 2 $s $s",
        "FCALL_RO take 1 $s", "FCALL_RO put 1 $s $v", "FCALL nosuch 0", "FCALL take x $s", "EVAL return(1) -1",
        "EVAL return(1) 3 $k", "SCRIPT FLUSH [ SYNC | ASYNC ]",
    ]

    private static let server = [
        "PING", "PING $v", "ECHO $v", "SELECT 0", "? TIME", "WAIT 0 0", "COMMAND COUNT", "COMMAND GETKEYS SET $s $v",
        "PUBLISH channel $v", "PUBSUB CHANNELS", "PUBSUB NUMPAT", "PUBSUB NUMSUB channel", "SPUBLISH $k $v",
        "PUBSUB SHARDCHANNELS", "UNWATCH", "? CLIENT ID", "CLIENT GETNAME", "CLIENT SETNAME $f", "ACL WHOAMI",
    ]

    private static let errors = [
        "NOSUCH", "NOSUCH { $v }", "GET", "get $s x", "SET $s", "MGET", "+ MSET $s", "DEL", "OBJECT",
        "OBJECT NOSUCH $k",
        "OBJECT ENCODING", "object encoding $k x", "XINFO", "XINFO nosuch $x", "XINFO STREAM", "XGROUP",
        "XGROUP nosuch",
        "XGROUP CREATE $x", "SCRIPT", "SCRIPT NOSUCH", "SCRIPT EXISTS", "FUNCTION", "FUNCTION NOSUCH", "MEMORY USAGE",
        "MEMORY USAGE $k SAMPLES -1", "PING $v $v", "ECHO", "SELECT abc", "SCAN abc", "SCAN 0 COUNT 0", "SCAN 0 NOSUCH",
        "SCAN", "KEYS", "DBSIZE $k", "FLUSHALL NOSUCH", "FLUSHDB SYNC SYNC", "RANDOMKEY $k", "EXEC", "DISCARD",
        "SLOWLOG NOSUCH", "SLOWLOG", "LATENCY NOSUCH", "PUBSUB NOSUCH", "COMMAND NOSUCH", "CLIENT", "CLIENT NOSUCH",
        "HELLO 9", "HELLO abc", "AUTH", "AUTH a b c", "SUBSCRIBE", "WAIT 1", "WAIT a 0", "WAIT 0 -1", "SLOWLOG GET abc",
        "BLPOP $l abc", "BLPOP $l -1", "XREAD COUNT 1 STREAMS $x", "ZUNION 0 $z", "ZUNION abc $z", "EVAL return(1)",
        "LMPOP 0 $l LEFT", "SINTERCARD 0 $t", "GEORADIUS $g 1 2 3 km STORE", "SORT $l STORE", "COPY $k $k DB abc",
    ]
}
