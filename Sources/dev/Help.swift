enum Help {
    static let text = """
        swift run dev <verb>

          up       from nothing to a cluster on loopback with real data in it; again: checks and repairs it
                     --nodes N      how many nodes, 1 to 9 (3)
                     --json         print the cluster as one JSON object on stdout; progress goes to stderr
                     --yes          install Debian packages without asking
                     --no-data      leave the sample data out
          down     stop and remove the loopback cluster, its data included
          status   what of it is running; --json as in `up`
          test     build everything, then lint, unit, simulation, integration and system tests
                     --quick        lint and the tests that need no processes
                     --seeds N      how many clusters are simulated (1500, a minute and a half on two cores)
                     --only NAME    only tests whose name contains NAME
          lint     house rules that a machine can check
          format   lay out the sources as lint wants them
          bench    bench proxy: the proxy beside haproxy, twemproxy, predixy and redis-server;
                     `bench proxy --help` lists its options
          fuzz     hostile bytes for the proxy's parsers
                     --minutes N    how long (10)
                     --seed N       where to begin; a failure names its own
                     --target T     requests, replies, keys, merges or inline only
          redis-suite  Redis' own test suite against redis-server and against an endpoint of the loopback cluster
                     --suite PATH   a checkout of redis 7.0
                     --shards N     shards of the endpoint (1)
                     --only FILE    one file, e.g. type/list
                     --tags TAGS    of the suite; what a tenant has not is left out unless said
          faults   what clients see while things fail: nodes in network namespaces, faults one after the other, a table
                     --runs N       of every fault (3)
                     --only NAMES   beginnings of faults' names, with commas
                     --nodes N      3 to 9 (3)
                     --databases K  kinds, with commas: simple, simple-aof, ha, ha-clustered, ...
                     --list         the faults
                     --network X    first three numbers of the nodes' addresses (198.18.7)
                     --package P    an existing release instead of this checkout's
          package  the release: .build/package/{tarn,tarn-<version>-linux-<arch>.tar.zst}
          image    the node image `tarn-node`, from that package, with Docker

        up, down, status and redis-suite take --network 127.0.X (127.0.0) and --directory DIR (.build/cluster), so that
        several clusters fit on one machine.
        docs/development.md tells more.
        """
}
