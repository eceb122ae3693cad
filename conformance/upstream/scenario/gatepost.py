"""A process of gatepost."""

import http.client
import os
import pathlib
import signal
import subprocess
import sys

from scenario.checks import Failed, until
from scenario.cluster import POOL


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
