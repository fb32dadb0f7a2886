"""One client library against one endpoint: every kind of command that an application begins with.

usage: clients.py redis-py|glide-sync|glide-async|glide-resp2 HOST PORT PASSWORD
Every check that fails is one line; exit status 1 when there is any.
"""
import asyncio, sys, threading, time, traceback

kind, host, port, password = sys.argv[1:]
port = int(port)
keys = [f"{kind}:{number}" for number in range(300)]
failures, passed = [], 0


def check(name, body):
    global passed
    try:
        body()
        passed += 1
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1].line if not isinstance(error, AssertionError) else ""
        failures.append(f"{name}: {type(error).__name__}: {error} {line}".strip())


def equal(found, expected):
    assert found == expected, f"{str(found)[:200]} instead of {str(expected)[:200]}"


def redis_py(protocol):
    import redis
    client = redis.Redis(host=host, port=port, password=password, protocol=protocol, decode_responses=True, socket_timeout=10)

    def values():
        equal(client.set(keys[0], "one"), True)
        equal(client.get(keys[0]), "one")
        equal(client.get("nobody"), None)
        for key in keys:
            client.set(key, key)
        equal(client.mget(keys), keys)
        equal(client.mset({key: "m" for key in keys[:50]}), True)
        equal(client.mget(keys[:50]), ["m"] * 50)
        equal(client.exists(*keys), len(keys))
        equal(client.delete(*keys[:50]), 50)

    def pipeline():
        batch = client.pipeline(transaction=False)
        for key in keys:
            batch.set(key, key).get(key)
        equal(batch.execute(), [answer for key in keys for answer in (True, key)])

    def transaction():
        batch = client.pipeline(transaction=True)
        batch.set("{one}:a", 1).incr("{one}:a").get("{one}:a")
        equal(batch.execute(), [True, 2, "2"])

    def watched():
        with client.pipeline() as batch:
            batch.watch("{one}:w")
            client.set("{one}:w", "by another")
            batch.multi()
            batch.set("{one}:w", "by me")
            try:
                batch.execute()
                assert False, "a transaction went through although its key had changed"
            except redis.WatchError:
                equal(client.get("{one}:w"), "by another")

    def expire():
        client.set("soon", "x", px=60_000)
        assert 0 < client.pttl("soon") <= 60_000
        equal(client.expire("soon", 100), True)
        equal(client.persist("soon"), True)
        equal(client.ttl("soon"), -1)
        client.set("gone", "x", px=1)
        time.sleep(0.05)
        equal(client.get("gone"), None)

    def structures():
        client.delete("h", "l", "s", "z")
        equal(client.hset("h", mapping={"a": "1", "b": "2"}), 2)
        equal(client.hgetall("h"), {"a": "1", "b": "2"})
        equal(client.rpush("l", "1", "2", "3"), 3)
        equal(client.lrange("l", 0, -1), ["1", "2", "3"])
        equal(client.sadd("s", "a", "b"), 2)
        equal(client.smembers("s"), {"a", "b"})
        equal(client.zadd("z", {"a": 1, "b": 2.5}), 2)
        equal([tuple(pair) for pair in client.zrange("z", 0, -1, withscores=True)], [("a", 1.0), ("b", 2.5)])
        equal(client.blpop(["l"], timeout=1) and True, True)
        client.set("bytes", "x" * 300_000)
        equal(len(client.get("bytes")), 300_000)

    def whole():
        everything = set(client.scan_iter(count=50))
        assert set(keys[60:]) <= everything, "SCAN misses keys"
        equal(set(client.scan_iter(match=f"{kind}:1*")), {key for key in everything if key.startswith(f"{kind}:1")})
        equal(set(client.keys("*")), everything)
        equal(client.dbsize(), len(everything))
        assert client.info()["redis_version"]
        assert client.randomkey() in everything

    def subscription():
        listener = client.pubsub()
        listener.subscribe("news")
        listener.psubscribe("ne*")
        for _ in range(2):
            assert listener.get_message(timeout=5)
        assert client.publish("news", "hello") >= 1
        got = [listener.get_message(timeout=5) for _ in range(2)]
        equal(sorted(message["type"] for message in got if message), ["message", "pmessage"])
        listener.close()

    def blocked():
        answer = []
        client.delete("queue")
        waiter = threading.Thread(target=lambda: answer.append(client.blpop(["queue"], timeout=5)))
        waiter.start()
        time.sleep(0.05)
        client.rpush("queue", "work")
        waiter.join()
        equal([tuple(pair) for pair in answer], [("queue", "work")])

    def scripts():
        equal(client.eval("return redis.call('get', KEYS[1])", 1, keys[100]), keys[100])
        script = client.register_script("return ARGV[1]")
        equal(script(keys=["any"], args=["back"]), "back")

    def refused():
        try:
            client.config_set("dir", "/tmp")
            assert False, "CONFIG SET went through"
        except redis.ResponseError:
            pass
        try:
            redis.Redis(host=host, port=port, password="wrong", protocol=protocol).ping()
            assert False, "a wrong password was taken"
        except (redis.AuthenticationError, redis.ResponseError):
            pass

    equal(client.ping(), True)
    for body in (values, pipeline, transaction, watched, expire, structures, whole, subscription, blocked, scripts, refused):
        check(body.__name__, body)
    client.close()


def glide(protocol_name, is_async):
    if is_async:
        import glide as module
    else:
        import glide_sync as module
    loop = asyncio.new_event_loop()

    def run(value):
        return loop.run_until_complete(value) if is_async else value

    protocol = getattr(module.ProtocolVersion, protocol_name)
    login = module.ServerCredentials(password=password)
    configuration = module.GlideClientConfiguration(
        [module.NodeAddress(host, port)], credentials=login, protocol=protocol, request_timeout=5000)
    client = run(module.GlideClient.create(configuration))
    text = lambda values: [value.decode() if value is not None else None for value in values]

    def values():
        equal(run(client.set(keys[0], "one")), "OK")
        equal(run(client.get(keys[0])), b"one")
        equal(run(client.get("nobody")), None)
        equal(run(client.mset({key: key for key in keys})), "OK")
        equal(text(run(client.mget(keys))), keys)
        equal(run(client.exists(keys)), len(keys))
        equal(run(client.delete(keys[:50])), 50)

    def pipeline():
        batch = module.Batch(is_atomic=False)
        for key in keys:
            batch.set(key, key)
            batch.get(key)
        equal(run(client.exec(batch, raise_on_error=True)), [answer for key in keys for answer in ("OK", key.encode())])

    def transaction():
        batch = module.Batch(is_atomic=True)
        batch.set("{one}:a", "1")
        batch.incr("{one}:a")
        batch.get("{one}:a")
        equal(run(client.exec(batch, raise_on_error=True)), ["OK", 2, b"2"])

    def expire():
        run(client.set("soon", "x"))
        equal(run(client.expire("soon", 100)), True)
        assert 0 < run(client.ttl("soon")) <= 100

    def structures():
        run(client.delete(["h", "l", "s", "z"]))
        equal(run(client.hset("h", {"a": "1", "b": "2"})), 2)
        equal(run(client.hgetall("h")), {b"a": b"1", b"b": b"2"})
        equal(run(client.rpush("l", ["1", "2"])), 2)
        equal(run(client.lrange("l", 0, -1)), [b"1", b"2"])
        equal(run(client.sadd("s", ["a", "b"])), 2)
        equal(run(client.smembers("s")), {b"a", b"b"})
        equal(run(client.zadd("z", {"a": 1.0, "b": 2.5})), 2)
        equal(run(client.zscore("z", "b")), 2.5)
        run(client.set("bytes", "x" * 300_000))
        equal(len(run(client.get("bytes"))), 300_000)

    def whole():
        found, cursor = set(), b"0"
        while True:
            cursor, part = run(client.scan(cursor))
            found.update(part)
            if cursor == b"0":
                break
        assert {key.encode() for key in keys[60:]} <= found, "SCAN misses keys"
        equal(run(client.dbsize()), len(found))
        assert b"redis_version" in run(client.info())

    def publish():
        run(client.publish("hello", "news"))

    equal(run(client.ping()), b"PONG")
    for body in (values, pipeline, transaction, expire, structures, whole, publish):
        check(body.__name__, body)
    run(client.close())


def glide_subscription():
    import glide_sync as module
    channels = {module.GlideClientConfiguration.PubSubChannelModes.Exact: {"glide-news"}}
    subscriptions = module.GlideClientConfiguration.PubSubSubscriptions(channels, None, None)
    settings = dict(credentials=module.ServerCredentials(password=password), request_timeout=5000)
    listener = module.GlideClient.create(module.GlideClientConfiguration(
        [module.NodeAddress(host, port)], pubsub_subscriptions=subscriptions, **settings))
    speaker = module.GlideClient.create(module.GlideClientConfiguration([module.NodeAddress(host, port)], **settings))
    deadline = time.monotonic() + 5
    message = None
    while message is None and time.monotonic() < deadline:
        speaker.publish("hello", "glide-news")
        message = listener.try_get_pubsub_message()
        time.sleep(0.02)
    assert message and message.message == b"hello", message
    listener.close()
    speaker.close()


whole = {
    "redis-py": [lambda: redis_py(2)],
    "redis-py-resp3": [lambda: redis_py(3)],
    "glide-sync": [lambda: glide("RESP3", False), glide_subscription],
    "glide-async": [lambda: glide("RESP3", True)],
    "glide-resp2": [lambda: glide("RESP2", False)],
}
for number, body in enumerate(whole[kind]):
    check(f"session {number + 1}", body)
for failure in failures:
    print(failure)
print(f"{kind}: {passed} passed, {len(failures)} failed")
sys.exit(1 if failures else 0)
