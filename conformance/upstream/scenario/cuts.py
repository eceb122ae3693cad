"""Connections cut."""

import os
import pathlib
import threading
import time

from scenario.checks import need, until
from scenario.cluster import (
    ApiServer,
    Backend,
    accepted,
    apply,
    gateway_address,
    route,
    shop,
    status_of,
)
from scenario.gatepost import Gatepost
from scenario.relay import Cutter
from scenario.traffic import Traffic, answers


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
