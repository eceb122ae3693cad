"""The walkthrough."""

import pathlib
import ssl
import subprocess

from scenario.checks import need, until
from scenario.cluster import (
    Backend,
    accepted,
    apply,
    condition,
    gateway_address,
    kubectl,
    status_of,
)
from scenario.gatepost import Gatepost
from scenario.traffic import Traffic, answers, get

WALKTHROUGH = pathlib.Path(__file__).resolve().parents[3] / "cli" / "walkthrough"


def walkthrough(options):
    """The walkthrough by kubectl apply, patch, create secret tls and delete while requests run."""
    host = "reverse-words.apps.gateway-api.test.lab"
    blue, green = (
        f"Reverse Words Release: {name}. App version: v0.0.{number}" for name, number in (("Blue", 27), ("Green", 28))
    )
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
