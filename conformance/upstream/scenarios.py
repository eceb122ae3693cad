#!/usr/bin/env python3
"""What no conformance suite asks: gatepost beside a real API server that changes, ends, comes back older or refuses.

    run --exec 'scenarios.py --gatepost FILE --output FOLDER NAME…'

Each scenario starts gatepost itself and ends with a line `ok NAME: figures` or `FAILED NAME: why`.
"""

import argparse
import atexit
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
WALKTHROUGH = HERE.parent.parent / "cli" / "walkthrough"
BRIDGE = "10.244.0.1"
POOL = os.environ.get("GATEWAY_ADDRESSES", "10.245.0.0/16")
CLASS = os.environ.get("GATEWAY_CLASS", "gateway-conformance")


class Failed(Exception):
    """A scenario did not go as it should."""


def need(condition, why):
    if not condition:
        raise Failed(why)


def until(what, condition, seconds=20, pause=0.02):
    """Waits for a condition to give something; how long it took and what it gave."""
    start = time.monotonic()
    last = None
    while time.monotonic() - start < seconds:
        try:
            last = condition()
            if last:
                return time.monotonic() - start, last
        except (OSError, http.client.HTTPException, Failed) as error:
            last = error
        time.sleep(pause)
    raise Failed(f"{what}: not within {seconds} s; at last {last!r}")


def kubectl(*arguments, given=None, config=None):
    environment = dict(os.environ)
    if config:
        environment["KUBECONFIG"] = str(config)
    done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise Failed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def apply(*objects):
    text = "\n---\n".join(json.dumps(one) for one in objects)
    return kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)


class ApiServer:
    """Requests to the API server over one connection for each thread."""

    def __init__(self):
        raw = json.loads(kubectl("config", "view", "--raw", "-o", "json"))
        cluster = raw["clusters"][0]["cluster"]
        self.token = raw["users"][0]["user"]["token"]
        self.host = cluster["server"].removeprefix("https://")
        self.context = ssl.create_default_context(cadata=ssl_text(cluster["certificate-authority-data"]))
        self.local = threading.local()

    def request(self, method, path, body=None, content="application/json"):
        for attempt in (0, 1):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=10)
                self.local.connection = connection
            headers = {"Authorization": f"Bearer {self.token}"}
            if body is not None:
                headers["Content-Type"] = content
            try:
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                answer = connection.getresponse()
                text = answer.read()
                return answer.status, (json.loads(text) if text else None)
            except (OSError, http.client.HTTPException):
                connection.close()
                self.local.connection = None
                if attempt:
                    raise
        return None


def ssl_text(base64_text):
    import base64

    return base64.b64decode(base64_text).decode()


class Backend:
    """An HTTP server that says its name, where pods could be."""

    def __init__(self, text):
        body = text.encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((BRIDGE, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def slice(self, namespace, service, port_name):
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{service}-by-hand",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "ports": [{"name": port_name, "protocol": "TCP", "port": self.port}],
            "endpoints": [{"addresses": [BRIDGE], "conditions": {"ready": True}}],
        }


class Gatepost:
    """A process of gatepost, with its log."""

    count = 0

    def __init__(self, options, admin=9901, config=None, prefix=()):
        Gatepost.count += 1
        self.admin = admin
        self.prefix = list(prefix)
        self.log = options.output / f"gatepost-{Gatepost.count}.log"
        environment = dict(os.environ, HOSTNAME=f"replica-{Gatepost.count}", RUST_LOG=options.log)
        if config:
            environment["KUBECONFIG"] = str(config)
        command = [*prefix, str(options.gatepost), "serve", "--kubernetes", "--address-pool", POOL]
        command += ["--admin", f"127.0.0.1:{admin}"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def tell(self, path):
        """What the admin endpoint says; inside the network namespace of the process."""
        if self.prefix:
            script = (
                "import http.client\n"
                f"c = http.client.HTTPConnection('127.0.0.1', {self.admin}, timeout=5)\n"
                f"c.request('GET', '{path}')\n"
                "a = c.getresponse()\nprint(a.status)\nprint(a.read().decode())\n"
            )
            done = subprocess.run([*self.prefix, sys.executable, "-c", script], capture_output=True, text=True)
            status, _, body = done.stdout.partition("\n")
            return (int(status) if status else 0), body
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def metric(self, name):
        _, text = self.tell("/metrics")
        for line in text.splitlines():
            if line.startswith(f"gatepost_{name} "):
                return float(line.split()[1])
        raise Failed(f"there is no metric {name}")

    def ready(self, seconds=20):
        until("gatepost is ready", lambda: self.tell("/readyz")[0] == 200, seconds)
        return self

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def get(address, host, path="/", port=80, context=None, timeout=5):
    """Status, Location and body of one request on a connection of its own."""
    raw = socket.create_connection((address, port), timeout=timeout)
    try:
        if context:
            raw = context.wrap_socket(raw, server_hostname=host)
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(raw, method="GET")
        answer.begin()
        return answer.status, answer.getheader("Location"), answer.read().decode()
    finally:
        raw.close()


class Traffic:
    """Requests that go on until the end; each has to be answered as it should."""

    def __init__(self, address, host, right=lambda answer: answer[0] == 200, threads=4, rate=50):
        self.sent, self.failures, self.running = 0, [], True
        self.lock = threading.Lock()

        def work():
            following = time.monotonic()
            while self.running:
                try:
                    answer = get(address, host)
                    wrong = None if right(answer) else answer
                except (OSError, http.client.HTTPException) as error:
                    wrong = repr(error)
                with self.lock:
                    self.sent += 1
                    if wrong is not None:
                        self.failures.append((time.strftime("%T"), wrong))
                following += 1 / rate
                time.sleep(max(0.0, following - time.monotonic()))

        self.threads = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        need(self.sent > 0, "no request was sent")
        need(not self.failures, f"{len(self.failures)} of {self.sent} requests failed, first {self.failures[:3]}")
        return self.sent


def condition(status_list, kind):
    return next((one for one in status_list or [] if one["type"] == kind), {})


def status_of(kind, namespace, name):
    return json.loads(kubectl("get", kind, name, "-n", namespace, "-o", "json")).get("status", {})


def gateway_address(namespace, name, seconds=20):
    def programmed():
        status = status_of("gateway", namespace, name)
        if condition(status.get("conditions"), "Programmed").get("status") != "True":
            return None
        return status["addresses"][0]["value"]

    return until(f"Gateway {namespace}/{name} is programmed", programmed, seconds, 0.1)[1]


def shop(namespace="shop", routes=1, gateway="gw"):
    """A namespace with a Gateway, a Service and routes `r0.test`, `r1.test`, …"""
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": gateway, "namespace": namespace},
            "spec": {"gatewayClassName": CLASS, "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "app", "namespace": namespace},
            "spec": {"ports": [{"name": "http", "port": 80}]},
        },
    ]
    return objects + [route(namespace, number, gateway) for number in range(routes)]


def route(namespace, number, gateway="gw"):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": f"r{number}", "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": gateway}],
            "hostnames": [f"r{number}.test"],
            "rules": [{"backendRefs": [{"name": "app", "port": 80}]}],
        },
    }


def answers(address, host, text):
    return lambda: get(address, host)[::2] == (200, text)


def accepted(namespace, name, kind="httproute"):
    def look():
        found = json.loads(kubectl("get", kind, name, "-n", namespace, "-o", "json"))
        parents = found.get("status", {}).get("parents", [])
        return any(
            condition(parent["conditions"], "Accepted").get("status") == "True"
            and condition(parent["conditions"], "Accepted").get("observedGeneration") == found["metadata"]["generation"]
            for parent in parents
        )

    return look


# --- scenarios ------------------------------------------------------------------------------------


def walkthrough(options):
    """The walkthrough by kubectl apply, patch, create secret tls and delete while requests run."""
    host = "reverse-words.apps.gateway-api.test.lab"
    blue, green = (f"Reverse Words Release: {name}. App version: v0.0.{number}" for name, number in (("Blue", 27), ("Green", 28)))
    backends = {"blue": Backend(blue), "green": Backend(green)}
    namespace = "reverse-words"

    def file(name):
        return str(WALKTHROUGH / name)

    def shares(address, count=1000):
        counted = {blue: 0, green: 0}
        for _ in range(count):
            status, _, body = get(address, host)
            need(status == 200, f"{status} {body}")
            counted[body] += 1
        return counted[blue], counted[green]

    with Gatepost(options) as gatepost:
        gatepost.ready()
        kubectl("apply", "-f", str(WALKTHROUGH / "1-http" / "app.yaml"))
        apply(backends["blue"].slice(namespace, "reverse-words-blue", "http"))
        kubectl("apply", "-f", str(WALKTHROUGH / "1-http"))
        address = gateway_address(namespace, "gateway")
        until("the first answer", answers(address, host, blue))
        until("the route is accepted", accepted(namespace, "reversewords"))
        need(get(address, "other.test")[0] == 404, "another host is answered")
        status = status_of("gateway", namespace, "gateway")
        need(status["listeners"][0]["attachedRoutes"] == 1, "one route is attached")
        need(
            condition(status_of("gatewayclass", namespace, "gatepost")["conditions"], "Accepted")["status"] == "True",
            "the class is accepted",
        )

        right = lambda answer: answer[0] == 200 and answer[2] in (blue, green)
        traffic = Traffic(address, host, right)
        kubectl("apply", "-f", file("2-weights/app-green.yaml"))
        apply(backends["green"].slice(namespace, "reverse-words-green", "http"))
        kubectl("apply", "-f", file("2-weights/route-90-10.yaml"))
        until("green is reached", lambda: get(address, host)[2] == green)
        sent = traffic.end()
        found = shares(address)
        need(abs(found[1] - 100) <= 2, f"90 to 10: {found}")
        for patch, wanted in (("patch-50-50.json", (500, 500)), ("patch-0-100.json", (0, 1000))):
            traffic = Traffic(address, host, right)
            merge = (WALKTHROUGH / "2-weights" / patch).read_text()
            kubectl("patch", "httproute", "reversewords", "-n", namespace, "--type", "merge", "-p", merge)
            until("the patch is taken up", accepted(namespace, "reversewords"))
            sent += traffic.end()
            found = shares(address)
            need(abs(found[1] - wanted[1]) <= 2, f"{patch}: {found}, expected {wanted}")

        # TLS: the certificate, the Gateway, then the route moves. `http` is answered by the route until it is gone.
        traffic = Traffic(address, host, lambda answer: right(answer) or answer[0] in (302, 404))
        secure = options.output / "walkthrough"
        secure.mkdir(exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=reversewords"]
            + ["-addext", "subjectAltName=DNS:*.apps.gateway-api.test.lab"]
            + ["-keyout", str(secure / "key.pem"), "-out", str(secure / "certificate.pem")],
            check=True,
            capture_output=True,
        )
        kubectl(
            *("create", "secret", "tls", "reversewords-gateway-tls", "-n", namespace),
            *("--cert", str(secure / "certificate.pem"), "--key", str(secure / "key.pem")),
        )
        kubectl("apply", "-f", file("3-https/gateway.yaml"))
        kubectl("apply", "-f", file("3-https/route.yaml"))
        context = ssl.create_default_context(cafile=str(secure / "certificate.pem"))
        until("https is answered", lambda: get(address, host, port=443, context=context)[::2] == (200, green))
        until("http has no route", lambda: get(address, host)[0] == 404)

        def attached(http, https):
            def look():
                listeners = status_of("gateway", namespace, "gateway")["listeners"]
                return {one["name"]: one["attachedRoutes"] for one in listeners} == {"http": http, "https": https}

            return look

        until("routes are counted", attached(0, 1))
        kubectl("apply", "-f", file("3-https/redirect.yaml"))
        until("http redirects", lambda: get(address, host)[:2] == (302, f"https://{host}/"))
        until("routes are counted", attached(1, 1))
        sent += traffic.end()

        # What goes away reaches traffic within a second.
        kubectl("delete", "secret", "reversewords-gateway-tls", "-n", namespace)

        def refused():
            try:
                get(address, host, port=443, context=context, timeout=2)
            except OSError:
                return True
            return False

        gone, _ = until("https ends without the Secret", refused, 5)
        kubectl("delete", "httproute", "reversewords-tls-redirect", "-n", namespace)
        unrouted, _ = until("the redirect ends with its route", lambda: get(address, host)[0] == 404, 5)
        need(max(gone, unrouted) < 1, f"withdrawal took {gone:.2f} and {unrouted:.2f} s")
        kubectl("delete", "gateway", "gateway", "-n", namespace)

        def closed():
            try:
                get(address, host, timeout=2)
            except OSError:
                return True
            return False

        until("the address is closed", closed, 5)
    return f"{sent} requests, 0 failed; a Secret that goes reaches traffic after {gone * 1000:.0f} ms, a route after {unrouted * 1000:.0f} ms"


def start_controlplane(directory, log):
    process = subprocess.Popen(
        ["controlplane", "-directory", str(directory)], stdout=log, stderr=log, start_new_session=True
    )
    return process


class ControlPlane:
    """etcd and the API server, to be stopped and started."""

    def __init__(self, options):
        self.directory = pathlib.Path(os.environ["CONTROLPLANE"])
        self.pid = int(os.environ["CONTROLPLANE_PID"])
        self.log = open(options.output / "controlplane-again.log", "a")
        self.process = None

    def stop(self):
        # At once, as a machine ends: asked to end it would wait for watches.
        if self.process:
            self.process.kill()
            self.process.wait(30)
        else:
            os.kill(self.pid, signal.SIGKILL)
            until("the API server ends", lambda: not alive(self.pid), 30)
        (self.directory / "kubeconfig").rename(self.directory / "kubeconfig.old")

    def start(self):
        self.process = start_controlplane(self.directory, self.log)
        until("the API server is back", (self.directory / "kubeconfig").exists, 60)
        os.environ["CONTROLPLANE_PID"] = str(self.process.pid)


def alive(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rsplit(") ", 1)[1][0] != "Z"


def outage(options):
    """The API server stopped for a minute, then back, then back with an older state."""
    backend = Backend("app")
    plane = ControlPlane(options)
    seconds = 60
    with Gatepost(options) as gatepost:
        gatepost.ready()
        apply(*shop(), backend.slice("shop", "app", "http"))
        address = gateway_address("shop", "gw")
        until("the route is served", answers(address, "r0.test", "app"))
        until("the route is accepted", accepted("shop", "r0"))
        kubeconfig = pathlib.Path(os.environ["KUBECONFIG"])
        traffic = Traffic(address, "r0.test")
        before = gatepost.cpu()

        plane.stop()
        shutil.copytree(plane.directory / "etcd", options.output / "etcd-older", dirs_exist_ok=True)
        time.sleep(seconds)
        need(gatepost.tell("/readyz")[0] == 200, "ready without an API server")
        spent = gatepost.cpu() - before
        plane.start()
        need(kubeconfig.exists(), "the kubeconfig is back")
        apply(route("shop", 1))
        back, _ = until("a route made after the return is served", answers(address, "r1.test", "app"), 10)
        until("and accepted", accepted("shop", "r1"), 10)

        # Back to the state without r1 and before what follows.
        apply(route("shop", 2))
        until("another route is served", answers(address, "r2.test", "app"), 10)
        plane.stop()
        shutil.rmtree(plane.directory / "etcd")
        shutil.copytree(options.output / "etcd-older", plane.directory / "etcd")
        plane.start()
        older, _ = until(
            "routes that the older state does not have are gone", lambda: get(address, "r2.test")[0] == 404, 10
        )
        need(get(address, "r1.test")[0] == 404, "r1 is gone, too")
        apply(route("shop", 3))
        until("changes below the version that was reached are seen", answers(address, "r3.test", "app"), 10)
        until("and their statuses written", accepted("shop", "r3"), 10)
        until("r0 is accepted still", accepted("shop", "r0"), 10)
        sent = traffic.end()
        need(max(back, older) < 2, f"converged after {back:.2f} s and {older:.2f} s")
    return (
        f"{sent} requests, 0 failed; {seconds} s without API server took {spent:.2f} CPU s; converged {back:.2f} s after its return, "
        f"{older:.2f} s after its return with an older state"
    )


class Cutter:
    """A TCP proxy before the API server that cuts all connections every second."""

    def __init__(self, target):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open, self.lock, self.running, self.cuts = set(), threading.Lock(), True, 0
        self.target = target
        threading.Thread(target=self.accept, daemon=True).start()
        threading.Thread(target=self.cut, daemon=True).start()

    def accept(self):
        while self.running:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                continue
            with self.lock:
                self.open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        while self.running:
            time.sleep(1)
            with self.lock:
                for one in self.open:
                    try:
                        one.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
                    one.close()
                self.open = set()
                self.cuts += 1


def cuts(options):
    """Every connection to the API server cut every second, and others who write the same statuses all the time."""
    backend = Backend("app")
    cutter = Cutter(("127.0.0.1", 6443))
    config = options.output / "kubeconfig-cut"
    config.write_text(pathlib.Path(os.environ["KUBECONFIG"]).read_text().replace(":6443", f":{cutter.port}"))
    with Gatepost(options, config=config) as gatepost:
        gatepost.ready()
        apply(*shop("cut"), backend.slice("cut", "app", "http"))
        address = gateway_address("cut", "gw")
        until("the route is served", answers(address, "r0.test", "app"))
        traffic = Traffic(address, "r0.test")
        api, writing, written = ApiServer(), True, [0]

        def disturb():
            number = 0
            while writing:
                number += 1
                for name in [f"r{n}" for n in range(11)]:
                    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/cut/httproutes/{name}/status"
                    status, found = api.request("GET", path)
                    if status != 200:
                        continue
                    parents = [
                        parent
                        for parent in found.get("status", {}).get("parents", [])
                        if parent["controllerName"] != "example.com/other"
                    ]
                    parents.append(
                        {
                            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "other"},
                            "controllerName": "example.com/other",
                            "conditions": [
                                {
                                    "type": "Accepted",
                                    "status": "True",
                                    "reason": "Accepted",
                                    "message": str(number),
                                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                                    "observedGeneration": 1,
                                }
                            ],
                        }
                    )
                    found["status"] = {"parents": parents}
                    status, _ = api.request("PUT", path, found)
                    written[0] += status == 200

        thread = threading.Thread(target=disturb, daemon=True)
        thread.start()
        slowest = 0.0
        for number in range(1, 11):
            apply(route("cut", number))
            took, _ = until(f"r{number} is served", answers(address, f"r{number}.test", "app"), 10)
            slowest = max(slowest, took)
            until(f"r{number} is accepted", accepted("cut", f"r{number}"), 10)
        conflicts = gatepost.metric("status_conflicts_total")
        writing = False
        thread.join()
        time.sleep(1)
        for number in range(11):
            parents = status_of("httproute", "cut", f"r{number}")["parents"]
            names = sorted(parent["controllerName"] for parent in parents)
            need(names == ["example.com/other", "gatepost.dev/gateway-controller"], f"r{number}: entries of {names}")
        sent = traffic.end()
    cutter.running = False
    return f"{sent} requests, 0 failed; {cutter.cuts} cuts, {written[0]} writes of another, {conflicts:.0f} conflicts; slowest route {slowest:.2f} s"


def replicas(options):
    """Two replicas, each in a network namespace of its own; the one that writes is killed."""
    backend = Backend("app")
    # Names of network namespaces are the whole machine's.
    name = f"gatepost-{os.getpid()}-{time.time_ns() & 0xFFFFFF:x}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    atexit.register(lambda: subprocess.run(["ip", "netns", "del", name], check=False))
    for command in (
        f"ip link add veth-r type veth peer name eth0 netns {name}",
        "ip link set veth-r master br0 up",
        f"ip -n {name} link set lo up",
        f"ip -n {name} addr add 10.244.255.2/16 dev eth0",
        f"ip -n {name} link set eth0 up",
        f"ip -n {name} route add local {POOL} dev lo",
    ):
        subprocess.run(command.split(), check=True)
    inside = ["ip", "netns", "exec", name]
    # The second replica reaches the API server through the bridge.
    relay = socket.create_server((BRIDGE, 0))
    Relay(relay, ("127.0.0.1", 6443))
    config = options.output / "kubeconfig-replica"
    text = pathlib.Path(os.environ["KUBECONFIG"]).read_text()
    text = text.replace("server: https://127.0.0.1:6443", f"server: https://{BRIDGE}:{relay.getsockname()[1]}\n    tls-server-name: kubernetes.default.svc")
    config.write_text(text)

    def holder():
        lease = json.loads(kubectl("get", "lease", "-n", "default", "-o", "json"))["items"]
        return lease[0]["spec"]["holderIdentity"] if lease else ""

    with Gatepost(options) as first:
        first.ready()
        # One that was killed before may hold it for a while.
        ours = lambda: holder().startswith(f"replica-{Gatepost.count}-") and holder()
        _, leader = until("the first holds the Lease", ours)
        with Gatepost(options, config=config, prefix=inside) as second:
            second.ready()
            apply(*shop("two"), backend.slice("two", "app", "http"))
            address = gateway_address("two", "gw")
            until("the first serves", answers(address, "r0.test", "app"))
            script = f"""
import sys, time
sys.path.insert(0, {str(HERE)!r})
import scenarios
scenarios.until("the second serves", scenarios.answers({address!r}, "r0.test", "app"))
print("serving", flush=True)
traffic = scenarios.Traffic({address!r}, "r0.test")
sys.stdin.readline()
print(traffic.end())
"""
            client = subprocess.Popen(
                [*inside, sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            need(client.stdout.readline() == "serving\n", "the second replica serves")
            need(holder() == leader, "there is one writer")
            need(second.metric("status_writes_total") == 0, "the second wrote a status")
            writes = first.metric("status_writes_total")
            need(writes > 0, "the first wrote no status")
            first.stop(signal.SIGKILL)
            killed = time.monotonic()
            apply(route("two", 1))
            until("the survivor writes", accepted("two", "r1"), 30)
            took = time.monotonic() - killed
            need(holder() not in ("", leader), "another holds the Lease")
            client.stdin.write("\n")
            sent = client.communicate(timeout=20)[0].strip()
            need(client.returncode == 0 and sent.isdigit(), f"requests at the survivor: {sent}")
            need(took < 6, f"the survivor wrote after {took:.1f} s")
            second.stop()
            need(holder() == "", "the Lease is given back at the end")
    return f"{sent} requests at the survivor, 0 failed; it wrote {took:.1f} s after the writer was killed (the Lease lasts 6 s)"


class Relay(Cutter):
    """Passes connections on."""

    def __init__(self, listener, target):
        self.listener, self.target = listener, target
        self.open, self.lock, self.running, self.cuts = set(), threading.Lock(), True, 0
        threading.Thread(target=self.accept, daemon=True).start()


def scale(options):
    """3,000 HTTPRoutes, and the time from applying one more to its first answer."""
    count, more, backend = options.routes, 100, Backend("app")
    api = ApiServer()
    folder = "/apis/gateway.networking.k8s.io/v1/namespaces/many/httproutes"
    apply(*shop("many", 0), backend.slice("many", "app", "http"))

    def create(number):
        status, answer = api.request("POST", folder, route("many", number))
        need(status == 201, f"{status} {answer}")

    numbers = iter(range(count))

    def work():
        for number in numbers:
            create(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    started = time.monotonic()
    with Gatepost(options) as gatepost:
        gatepost.ready(60)
        ready = time.monotonic() - started
        address = gateway_address("many", "gw", 60)
        until("the last route is served", answers(address, f"r{count - 1}.test", "app"), 60)
        # One status for each route, the Gateway, and its class at the most.
        until("all statuses are written", lambda: gatepost.metric("status_writes_total") >= count + 1, 120, 0.2)
        time.sleep(2)
        start_cpu, writes, written = gatepost.cpu(), gatepost.metric("status_writes_total"), time.monotonic() - started
        times = []
        for number in range(count, count + more):
            before = time.monotonic()
            create(number)
            while True:
                if get(address, f"r{number}.test")[0] == 200:
                    break
                need(time.monotonic() - before < 10, f"r{number} is not served")
                time.sleep(0.001)
            times.append(time.monotonic() - before)
            time.sleep(0.2)
        time.sleep(2)
        # The route's own status, and the count of the Gateway: one for each.
        changed = gatepost.metric("status_writes_total") - writes
        need(changed == 2 * more, f"{changed:.0f} status writes for {more} routes")
        each = (gatepost.cpu() - start_cpu) / more
        memory = gatepost.resident()
    times.sort()
    median, slow = times[more // 2], times[more * 99 // 100]
    return (
        f"{count} routes: ready after {ready:.1f} s, all statuses after {written:.1f} s, {start_cpu:.1f} CPU s; apply to first answer "
        f"p50 {median * 1000:.1f} ms, p99 {slow * 1000:.1f} ms; {changed / more:.2f} status writes a change (the route's and the Gateway's "
        f"count), {each * 1000:.0f} CPU ms a change; {memory:.0f} MiB resident"
    )


def permissions(options):
    """An account that may not list Secrets: a line with verb and resource, readiness false, until it may."""
    manifest = HERE.parent.parent / "deploy" / "kubernetes" / "gatepost.yaml"
    kubectl("apply", "-f", str(manifest))
    token = kubectl("create", "token", "gatepost", "-n", "gatepost-system").strip()
    text = pathlib.Path(os.environ["KUBECONFIG"]).read_text()
    lines = [f"    token: {token}" if "token:" in line else line for line in text.splitlines()]
    config = options.output / "kubeconfig-account"
    config.write_text("\n".join(lines).replace("user: admin}", "user: admin, namespace: gatepost-system}") + "\n")
    role = json.loads(kubectl("get", "clusterrole", "gatepost", "-o", "json"))
    rules = role["rules"]
    without = [dict(rule, resources=[name for name in rule["resources"] if name != "secrets"]) for rule in rules]
    kubectl("patch", "clusterrole", "gatepost", "--type", "merge", "-p", json.dumps({"rules": without}))
    backend = Backend("app")
    with Gatepost(options, config=config) as gatepost:

        def refused():
            status, text = gatepost.tell("/readyz")
            return status == 503 and "permission to list secrets is missing" in text and text

        _, line = until("readiness names the permission", refused)
        apply(*shop("account"), backend.slice("account", "app", "http"))
        address = gateway_address("account", "gw")
        until("what can be read is served", answers(address, "r0.test", "app"))
        kubectl("patch", "clusterrole", "gatepost", "--type", "merge", "-p", json.dumps({"rules": rules}))
        until("ready once it may", lambda: gatepost.tell("/readyz")[0] == 200)
        until("the route is accepted", accepted("account", "r0"))
        accounts = json.loads(kubectl("get", "serviceaccount", "-n", "account", "-o", "json"))["items"]
        need([one["metadata"]["name"] for one in accounts] == [f"gw-{CLASS}"], "the Gateway has a ServiceAccount")
        log = gatepost.log.read_text()
        need(log.count("permission to list secrets") <= 2, "the line is not repeated")
        need("is missing" not in log.replace("permission to list secrets is missing", ""), "nothing else is missing")
    return line.splitlines()[0]


SCENARIOS = {one.__name__: one for one in (walkthrough, outage, cuts, replicas, permissions, scale)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gatepost", type=pathlib.Path, required=True, help="the binary")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for logs")
    parser.add_argument("--routes", type=int, default=3000, help="routes of the scenario `scale`")
    parser.add_argument("--log", default="info", help="RUST_LOG of gatepost")
    parser.add_argument("names", nargs="+", choices=[*SCENARIOS], metavar="NAME", help=", ".join(SCENARIOS))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in options.names:
        try:
            print(f"ok {name}: {SCENARIOS[name](options)}", flush=True)
        except (Failed, OSError, http.client.HTTPException, KeyError) as error:
            failed = True
            print(f"FAILED {name}: {error!r}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
