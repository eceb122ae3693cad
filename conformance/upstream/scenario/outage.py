"""The API server goes and comes back."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from scenario.checks import need, until
from scenario.cluster import Backend, accepted, apply, gateway_address, route, shop
from scenario.gatepost import Gatepost
from scenario.traffic import Traffic, answers, get


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
