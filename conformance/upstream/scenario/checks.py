"""Conditions that a scenario needs, and waiting for them."""

import http.client
import time


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
