#!/usr/bin/env python3
"""Results of the suite as a table: table.py --version V [--scenarios FILE] CHANNEL=FOLDER… > README.md"""

import argparse
import json
import pathlib
import subprocess


def profiles(report):
    """Profile → lines of its core and extended statistics, from the suite's own report (YAML of a known shape)."""
    found, section, name, statistics = {}, None, None, {}
    for line in report.splitlines():
        words = line.strip().split(": ")
        key = words[0].lstrip("- ").rstrip(":")
        if key in ("core", "extended"):
            section, statistics = key, {}
        elif key in ("Passed", "Failed", "Skipped") and section:
            statistics[key] = int(words[1])
            if len(statistics) == 3:
                found.setdefault("", {})[section] = statistics
        elif key == "name" and len(words) == 2 and words[1].startswith("GATEWAY-"):
            found[words[1]] = found.pop("", {})
            section = None
    return found


def cell(statistics):
    if not statistics:
        return "none"
    text = f"{statistics['Passed']} passed"
    for key in ("Failed", "Skipped"):
        if statistics[key]:
            text += f", **{statistics[key]} {key.lower()}**"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--scenarios", type=pathlib.Path)
    parser.add_argument("--commit", help="what was built, if it is not HEAD")
    parser.add_argument("channels", nargs="+", metavar="CHANNEL=FOLDER")
    options = parser.parse_args()
    channels = {}
    for pair in options.channels:
        channel, folder = pair.split("=", 1)
        channels[channel] = pathlib.Path(folder)
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    commit = options.commit or head.stdout.strip()
    print("# Conformance\n")
    print(
        f"The results of `make conformance` (`upstream/table.py`) for gatepost {options.version} at {commit}, with upstream's suite v1.7.0 and its own reports\n"
        "beside this file. Self-run on one machine: a real etcd and kube-apiserver v1.37.2 without kubelet and kube-proxy, and an\n"
        "echo server of suite v1.6.3, as its newer module cannot be downloaded (`upstream/README.md`, \"Differences\").\n"
        "The verdict is that of the Go test framework for each test.\n"
    )
    print("| channel | profile | core | extended |\n|---|---|---|---|")
    for channel, folder in channels.items():
        for name, parts in sorted(profiles((folder / "report.yaml").read_text()).items()):
            print(f"| {channel} | {name} | {cell(parts.get('core'))} | {cell(parts.get('extended'))} |")
    results = {}
    for channel, folder in channels.items():
        for outcome in json.loads((folder / "results.json").read_text()):
            results.setdefault(outcome["test"], {})[channel] = outcome
    mesh = {
        test
        for test, by in results.items()
        if all(one["result"] == "skip" and "esh" in one.get("reason", "") for one in by.values())
    }
    print(f"\nBy test, in seconds; the suite's {len(mesh)} tests of meshes are left out, as gatepost is none.\n")
    print("| test | " + " | ".join(channels) + " |\n|---" + "|---" * len(channels) + "|")
    for test in sorted(set(results) - mesh):
        cells = []
        for channel in channels:
            one = results[test].get(channel, {"result": "none", "seconds": 0})
            if one["result"] == "pass":
                cells.append(f"{one['seconds']:.1f}")
            elif one["result"] == "skip":
                cells.append(f"skipped: {one.get('reason', '')}")
            else:
                cells.append(f"**{one['result']}**")
        print(f"| {test} | " + " | ".join(cells) + " |")
    if options.scenarios:
        lines = [line for line in options.scenarios.read_text().splitlines() if line.startswith(("ok ", "FAILED "))]
        if lines:
            print("\nScenarios of our own on the same API server (`conformance/upstream/scenarios.py`):\n")
            for line in lines:
                print(f"- {line}")


if __name__ == "__main__":
    main()
