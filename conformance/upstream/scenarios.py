#!/usr/bin/env python3
"""What no conformance suite asks: gatepost beside a real API server that changes, ends, comes back older or refuses.

    run --exec 'scenarios.py --gatepost FILE --output FOLDER NAME…'

Each scenario starts gatepost itself and ends with a line `ok NAME: figures` or `FAILED NAME: why`.
"""

import argparse
import http.client
import pathlib
import sys

from scenario.checks import Failed
from scenario.cuts import cuts
from scenario.outage import outage
from scenario.permissions import permissions
from scenario.replicas import replicas
from scenario.scale import scale
from scenario.walkthrough import walkthrough

SCENARIOS = {one.__name__: one for one in (walkthrough, outage, cuts, replicas, permissions, scale)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gatepost", type=pathlib.Path, required=True, help="the binary")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for logs")
    parser.add_argument("--routes", type=int, default=3000, help="routes of the scenario `scale`")
    parser.add_argument("--log", default="info", help="RUST_LOG of gatepost")
    parser.add_argument("names", nargs="+", choices=[*SCENARIOS], metavar="NAME", help=", ".join(SCENARIOS))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in options.names:
        try:
            print(f"ok {name}: {SCENARIOS[name](options)}", flush=True)
        except (Failed, OSError, http.client.HTTPException, KeyError) as error:
            failed = True
            print(f"FAILED {name}: {error!r}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
