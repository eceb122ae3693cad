"""The command line: one, however it is started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import gatepost

from conftest import MANIFESTS

MODULE = [sys.executable, "-m", "gatepost"]
SCRIPT = [str(Path(sys.executable).with_name("gatepost"))]
BINARY = os.environ.get("GATEPOST_BINARY")
"""The binary to compare with, built from the same sources."""


def run(command: list[str], *arguments: str, text: str | None = None) -> tuple[int, str, str]:
    done = subprocess.run([*command, *arguments], input=text, capture_output=True, encoding="utf-8", timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(MANIFESTS)
    return tmp_path


CALLS = [
    ["--version"],
    ["--help"],
    ["nonsense"],
    [],
    ["check", "-f", "{}"],
    ["check", "-f", "{}/none.yaml"],
    ["explain", "-f", "{}", "GET", "http://shop.example.com/cart", "-H", "x-canary: 1"],
    ["explain", "-f", "{}", "http://shop.example.com/", "-o", "json"],
    ["explain", "-f", "{}", "nonsense"],
    ["routes", "-f", "{}"],
]


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_module_script_and_binary_say_the_same(call: list[str], folder: Path) -> None:
    arguments = [part.replace("{}", str(folder)) for part in call]
    module = run(MODULE, *arguments)
    assert run(SCRIPT, *arguments) == module
    if BINARY:
        assert run([BINARY], *arguments) == module


def test_the_version_is_the_package_version() -> None:
    assert run(MODULE, "--version") == (0, f"gatepost {gatepost.__version__}\n", "")


def test_check_says_what_the_command_says(folder: Path) -> None:
    problems = gatepost.check(folder)
    code, out, _ = run(MODULE, "check", "-f", str(folder))
    assert code == 1
    assert [str(problem) for problem in problems] == out.splitlines()
    assert problems[0].path == str(folder / "shop.yaml")
    assert all(problem.level == "error" and problem.line for problem in problems)
    assert "there are no problems" not in out
    other = gatepost.Controller(kubernetes=True)
    assert gatepost.check([folder], controller=other) != problems


def test_explain_says_what_the_command_says(folder: Path) -> None:
    table = gatepost.Controller().resolve(gatepost.Resources.from_files(folder)).table("infra/gw")
    why = table.explain("GET", "http://shop.example.com/cart", {"x-canary": "1"})
    arguments = ("explain", "-f", str(folder), "http://shop.example.com/cart", "-H", "x-canary: 1")
    assert run(MODULE, *arguments) == (0, str(why), "")
    import json

    code, out, _ = run(MODULE, *arguments, "-o", "json")
    assert (code, json.loads(out)) == (0, why.to_dict())


def test_standard_input_is_read() -> None:
    code, out, _ = run(MODULE, "routes", "-f", "-", text=MANIFESTS)
    assert code == 0
    assert "infra/gw[http] HTTP :80" in out


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    process = subprocess.Popen([*MODULE, "routes", "-f", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def free_ports() -> tuple[int, int]:
    """A free port for the listener's 80 and one for the admin endpoint."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        first, second = one.getsockname()[1], two.getsockname()[1]
    return first, second


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_serves_until_a_signal(folder: Path, number: signal.Signals) -> None:
    port, admin = free_ports()
    arguments = ["serve", "-f", str(folder), "--bind", "127.0.0.1", "--port-offset", str(port - 80), "--admin", f"127.0.0.1:{admin}"]
    process = subprocess.Popen([*MODULE, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/old", headers={"Host": "shop.example.com"})
        opener = urllib.request.build_opener(_NoRedirect)
        deadline = time.monotonic() + 30
        while True:
            try:
                opener.open(request, timeout=5).close()
                pytest.fail("a redirect was expected")
            except urllib.error.HTTPError as error:
                with error:
                    assert (error.code, error.headers["location"]) == (301, "https://shop.example.com/cart")
                break
            except OSError:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None
