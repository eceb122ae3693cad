"""Other threads run while gatepost works, and Ctrl-C ends its work."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import gatepost

from conftest import MANIFESTS


@pytest.fixture(scope="module")
def many() -> str:
    """Manifests that take a while."""
    gateway, route, *services = MANIFESTS.split("---\n")
    routes = [route.replace("name: cart,", f"name: cart-{number},") for number in range(1500)]
    return "---\n".join([gateway, *routes, *services])


def test_others_run_meanwhile(many: str) -> None:
    stop, count = threading.Event(), 0

    def work() -> None:
        nonlocal count
        while not stop.is_set():
            count += 1
            time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    counts: list[int] = []
    try:
        before = count
        resources = gatepost.Resources.from_yaml(many)
        counts.append(count - before)
        before = count
        gatepost.Controller().resolve(resources)
        counts.append(count - before)
    finally:
        stop.set()
        thread.join()
    assert min(counts) >= 5, counts


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Python's own handler, also where the tests were started with the signal ignored, as jobs in the background are."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_control_c_ends_the_work(many: str) -> None:
    started = time.monotonic()
    gatepost.Resources.from_yaml(many)
    whole = time.monotonic() - started
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        gatepost.Resources.from_yaml(many)
        time.sleep(1)
        pytest.fail("the work was not long enough")
    took = time.monotonic() - started
    timer.join()
    assert took < max(whole * 0.9, 0.2), (took, whole)


def test_threads_share_a_table(table: gatepost.Table) -> None:
    def ask(number: int) -> object:
        return table.find("GET", f"http://shop.example.com/cart/{number % 3}", {"x-canary": str(number % 2)})

    expected = [ask(number) for number in range(6)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(600)))
    assert answers == expected * 100
