"""The API server, and what is asked of it."""

import base64
import http.client
import http.server
import json
import os
import ssl
import subprocess
import threading

from scenario.checks import Failed, until

BRIDGE = "10.244.0.1"
POOL = os.environ.get("GATEWAY_ADDRESSES", "10.245.0.0/16")
CLASS = os.environ.get("GATEWAY_CLASS", "gateway-conformance")


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
