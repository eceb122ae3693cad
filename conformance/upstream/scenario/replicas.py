"""Two replicas."""

import atexit
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from scenario.checks import need, until
from scenario.cluster import (
    BRIDGE,
    POOL,
    Backend,
    accepted,
    apply,
    gateway_address,
    kubectl,
    route,
    shop,
)
from scenario.gatepost import Gatepost
from scenario.relay import Relay
from scenario.traffic import answers

HERE = pathlib.Path(__file__).resolve().parents[1]


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
    text = text.replace(
        "server: https://127.0.0.1:6443",
        f"server: https://{BRIDGE}:{relay.getsockname()[1]}\n    tls-server-name: kubernetes.default.svc",
    )
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
from scenario.checks import until
from scenario.traffic import Traffic, answers
until("the second serves", answers({address!r}, "r0.test", "app"))
print("serving", flush=True)
traffic = Traffic({address!r}, "r0.test")
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
