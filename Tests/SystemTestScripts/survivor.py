"""One client with its default settings that writes without end: what an application sees while a node is lost.

usage: survivor.py redis-py|glide-sync|glide-async|redis-cli HOST PORT PASSWORD DIRECTORY
Writes the number of its successes to DIRECTORY/KIND-HOST.count as it goes, ends when DIRECTORY/stop is there, and
prints one JSON object: successes, errors by kind, and the longest time without a success in milliseconds.
"""
import asyncio, collections, json, os, subprocess, sys, threading, time

kind, host, port, password, directory = sys.argv[1:]
port = int(port)
counter = f"{directory}/{kind}-{host}.count"
errors = collections.Counter()
successes, longest, last = 0, 0.0, None


def succeeded():
    global successes, longest, last
    now = time.monotonic()
    longest = max(longest, now - last) if last else 0.0
    last = now
    successes += 1


def failed(error):
    errors[f"{type(error).__name__}: {error}"[:90] if isinstance(error, Exception) else error[:90]] += 1


def is_over():
    return os.path.exists(directory + "/stop")


def report():
    """Beside the client: one that hangs is seen to stand still, and is ended with the others."""
    while not is_over():
        try:
            with open(counter + ".new", "w") as file:
                file.write(str(successes))
            os.rename(counter + ".new", counter)
        except OSError:  # The directory is gone, and with it whoever wanted to know.
            os._exit(1)
        time.sleep(0.02)
    gap = max(longest, time.monotonic() - last if last else 0.0)
    print(json.dumps({
        "client": kind, "successes": successes, "longest gap ms": round(gap * 1000), "errors": dict(errors)}), flush=True)
    os._exit(0)


def key(number):
    return f"{kind}:{host}:{number % 100}"


def loop(write):
    number = 0
    while True:
        try:
            write(key(number))
            succeeded()
        except Exception as error:
            failed(error)
        number += 1
        time.sleep(0.005)


def redis_py():
    import redis
    client = redis.Redis(host=host, port=port, password=password)
    loop(client.incr)


def glide_sync():
    from glide_sync import GlideClient, GlideClientConfiguration, NodeAddress, ServerCredentials
    client = GlideClient.create(GlideClientConfiguration(
        [NodeAddress(host, port)], credentials=ServerCredentials(password=password)))
    loop(client.incr)


async def glide_async():
    from glide import GlideClient, GlideClientConfiguration, NodeAddress, ServerCredentials
    client = await GlideClient.create(GlideClientConfiguration(
        [NodeAddress(host, port)], credentials=ServerCredentials(password=password)))
    number = 0
    while True:
        try:
            await client.incr(key(number))
            succeeded()
        except Exception as error:
            failed(error)
        number += 1
        await asyncio.sleep(0.005)


def redis_cli():
    """One process fed with commands, as a shell script does; started again when it has given up."""
    environment = {**os.environ, "REDISCLI_AUTH": password}
    number = 0
    while True:
        process = subprocess.Popen(
            ["redis-cli", "-h", host, "-p", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1, env=environment)
        try:
            while True:
                process.stdin.write(f"INCR {key(number)}\n")
                process.stdin.flush()
                number += 1
                line = process.stdout.readline()
                if not line:
                    break
                if line.strip().isdigit():
                    succeeded()
                elif line.strip():
                    failed(line.strip())
                time.sleep(0.005)
        except OSError:
            pass
        process.wait()
        failed(f"redis-cli ended with exit code {process.returncode}")
        time.sleep(0.05)


threading.Thread(target=report, daemon=True).start()
{
    "redis-py": redis_py, "glide-sync": glide_sync, "glide-async": lambda: asyncio.run(glide_async()),
    "redis-cli": redis_cli,
}[kind]()
