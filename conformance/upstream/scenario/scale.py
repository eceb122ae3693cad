"""Many routes."""

import threading
import time

from scenario.checks import need, until
from scenario.cluster import ApiServer, Backend, apply, gateway_address, route, shop
from scenario.gatepost import Gatepost
from scenario.traffic import answers, get


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
