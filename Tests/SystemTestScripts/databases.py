"""Creates simple databases over REST, measures each from the POST to the first PONG, and deletes them again.

usage: databases.py HOST USER PASSWORD-FILE CA COUNT PARALLEL
Prints one JSON object; times are in milliseconds.
"""
import base64, http.client, json, socket, ssl, statistics, sys, threading, time

host, user, password_file, ca, count, parallel = sys.argv[1:]
count, parallel = int(count), int(parallel)
password = open(password_file).read().strip()
login = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
context = ssl.create_default_context(cafile=ca)
created, times, errors = [], [], []


def call(connection, method, path, body=None):
    connection.request(method, path, json.dumps(body) if body else None, login)
    response = connection.getresponse()
    text = response.read()
    return response.status, json.loads(text) if text else None


def answers(address, port):
    try:
        with socket.create_connection((address, port), timeout=5) as client:
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def create(first):
    connection = http.client.HTTPSConnection(host, 9443, context=context, timeout=30)
    for number in range(first, count, parallel):
        began = time.monotonic()
        status, made = call(connection, "POST", "/v1/bdbs", {"name": f"rate-{parallel}-{number}", "memory_size": 20_000_000})
        if status != 200:
            errors.append(made)
            continue
        endpoint = made["endpoints"][0]
        while not answers(endpoint["addr"][0], endpoint["port"]):
            if time.monotonic() - began > 30:
                errors.append({"error_code": "no_pong", "uid": made["uid"]})
                break
            time.sleep(0.001)
        times.append((time.monotonic() - began) * 1000)
        created.append((made["uid"], endpoint["port"]))


def delete():
    connection = http.client.HTTPSConnection(host, 9443, context=context, timeout=30)
    for uid, _ in created:
        status, answer = 409, None
        deadline = time.monotonic() + 30
        # Its create may still be under way on a node that was not asked for the PONG.
        while status == 409 and time.monotonic() < deadline:
            status, answer = call(connection, "DELETE", f"/v1/bdbs/{uid}")
            time.sleep(0.01 if status == 409 else 0)
        if status != 200:
            errors.append(answer)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not call(connection, "GET", "/v1/bdbs")[1]:
            return
        time.sleep(0.05)
    errors.append({"error_code": "not_deleted", "left": call(connection, "GET", "/v1/bdbs")[1]})


began = time.monotonic()
threads = [threading.Thread(target=create, args=(first,)) for first in range(parallel)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
total = time.monotonic() - began
began = time.monotonic()
delete()
print(json.dumps({
    "created": len(created), "total_ms": int(total * 1000), "median_ms": int(statistics.median(times or [0])),
    "worst_ms": int(max(times or [0])), "delete_ms": int((time.monotonic() - began) * 1000),
    "errors": len(errors), "first_error": json.dumps(errors[:1]), "ports": sorted({port for _, port in created}),
}))
