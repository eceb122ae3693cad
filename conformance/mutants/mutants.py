"""Mutation testing in one build: all mutants that cargo-mutants lists are built in at once, a variable chooses one.

Usage: mutants.py COPY LIST SET [NAME-PREFIX…], from `conformance/mutants/run`. COPY is a copy of the repository that may be changed, LIST
the output of `cargo mutants --list --json`. A mutant is caught if one of the tests below fails, or does not end in time, with it. One that
does not compile beside the others is left to `cargo mutants` itself: it is printed as `apart`.
"""

import json
import os
import re
import resource
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tree_sitter_rust
from tree_sitter import Language, Parser

# What has to notice the mutants of a set, quickest first: package, what cargo builds, what of it runs.
SETS = {
    "matching": [
        ("gatepost-conformance", ["--test", "cases"], []),
        ("gatepost-conformance", ["--test", "targets"], []),
        ("gatepost-conformance", ["--test", "decisions"], []),
        ("gatepost", ["--lib"], ["hostname::", "rule::", "target::", "table::"]),
        ("gatepost-conformance", ["--test", "explain"], []),
        ("gatepost-conformance", ["--test", "properties"], []),
    ],
    "resolution": [
        ("gatepost-conformance", ["--test", "statuses"], []),
        ("gatepost-conformance", ["--test", "cases"], []),
        ("gatepost", ["--lib"], ["hostname::", "resolve::", "controller::"]),
        ("gatepost", ["--test", "statuses"], []),
        ("gatepost", ["--test", "foreign"], []),
        ("gatepost-conformance", ["--test", "follow"], []),
        ("gatepost-conformance", ["--test", "properties"], []),
    ],
}
SECONDS = 120
# Bytes of memory that a test may take: a loop without end may fill a list.
MEMORY = 4 << 30
SWITCH = """
/// Which mutant is on.
pub mod mutants {
    /// Whether it is this one.
    pub fn on(number: u32) -> bool {
        static CHOSEN: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
        *CHOSEN.get_or_init(|| std::env::var("GATEPOST_MUTANT").ok()?.parse().ok()) == Some(number)
    }
}
"""


def nodes(node):
    yield node
    for child in node.children:
        yield from nodes(child)


class Source:
    """A file with the mutants that are built into it."""

    def __init__(self, path, mutants):
        self.path, self.text, self.mutants = path, path.read_bytes(), mutants
        self.starts = [0] + [at + 1 for at, byte in enumerate(self.text) if byte == 10]
        self.tree = Parser(Language(tree_sitter_rust.language())).parse(self.text)
        self.nodes = list(nodes(self.tree.root_node))

    def offset(self, place):
        start = self.starts[place["line"] - 1]
        line = self.text[start:].split(b"\n", 1)[0].decode()
        return start + len(line[: place["column"] - 1].encode())

    def place(self, without):
        """Finds the node that each mutant changes; what has none cannot be built in."""
        self.at, missing = defaultdict(list), []
        for number, mutant in self.mutants:
            span = mutant["span"]
            start, end = self.offset(span["start"]), self.offset(span["end"])
            # One type is hidden behind `impl`, another cannot be returned beside it.
            hidden = mutant["genre"] == "FnValue" and "impl " in mutant["function"]["return_type"]
            node = None if hidden or number in without else self.node(mutant["genre"], start, end)
            if node is None:
                missing.append(number)
            else:
                self.at[node.id].append((number, mutant))
        return missing

    def node(self, genre, start, end):
        if genre in ("BinaryOperator", "UnaryOperator"):
            for node in self.of(lambda node: (node.start_byte, node.end_byte) == (start, end)):
                parent = node.parent
                chain = any(one.type in ("let_condition", "let_chain") for one in nodes(parent))
                kinds = ("binary_expression", "compound_assignment_expr", "unary_expression")
                if parent.type in kinds and not chain:
                    return parent
        if genre in ("MatchArmGuard", "MatchArm"):
            for node in self.of(lambda node: node.type == "match_pattern"):
                guard = node.child_by_field_name("condition")
                if genre == "MatchArmGuard" and guard is not None and guard.start_byte == start:
                    return None if any(one.type == "let_condition" for one in nodes(guard)) else guard
                if genre == "MatchArm" and node.parent.start_byte == start:
                    # A name takes all that is left, so no arm behind it would.
                    name = node.named_child_count and node.named_children[0].type == "identifier"
                    return None if name else node
        if genre == "FnValue":
            functions = list(self.of(lambda node: node.type == "function_item"))
            for node in functions:
                body = node.child_by_field_name("body")
                constant = self.text[node.start_byte : body.start_byte].split(b"fn ")[0]
                inside = body.start_byte < start and end < body.end_byte
                inner = any(body.start_byte < one.start_byte < start < one.end_byte < body.end_byte for one in functions)
                if inside and not inner and b"const" not in constant:
                    return body
        return None

    def of(self, fits):
        return filter(fits, self.nodes)

    def render(self, node):
        """The text of a node with its mutants."""
        parts, at = [], node.start_byte
        for child in node.children:
            parts += [self.text[at : child.start_byte], self.render(child)]
            at = child.end_byte
        plain = b"".join(parts) + self.text[at : node.end_byte]
        for number, mutant in self.at.get(node.id, []):
            new, on = mutant["replacement"].encode(), b"crate::mutants::on(%d)" % number
            marked = lambda text: b"/*M%d*/" % number + text + b"/*E%d*/" % number
            either = lambda text: marked(b"(if %s { %s } else { %s })" % (on, text, plain))
            if mutant["genre"] == "FnValue":
                plain = b"{" + marked(b"if %s { return %s; }" % (on, new)) + plain[1:]
            elif mutant["genre"] == "BinaryOperator":
                left, right = (self.render(node.child_by_field_name(side)) for side in ("left", "right"))
                plain = either(b"%s %s %s" % (left, new, right))
            elif mutant["genre"] == "UnaryOperator":
                plain = either(self.render(node.children[-1]))
            elif mutant["genre"] == "MatchArmGuard":
                plain = either(new)
            else:
                pattern, _, guard = plain.partition(b" if ") if node.child_by_field_name("condition") else (plain, 0, 0)
                guard = b" && (%s)" % guard if guard else b""
                plain = pattern + b" if " + marked(b"!%s%s" % (on, guard))
        return plain

    def write(self):
        self.path.write_bytes(self.render(self.tree.root_node) + b"\n")


def build(copy, tests):
    """Builds the tests: their programs, or the places of the errors."""
    programs, errors = {}, []
    for package in dict.fromkeys(package for package, _, _ in tests):
        wanted = [word for own, words, _ in tests if own == package for word in words]
        command = ["cargo", "test", "--no-run", "--message-format=json", "-p", package, *wanted]
        run = subprocess.run(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in run.stdout.splitlines():
            message = json.loads(line)
            if message.get("executable") and message["profile"]["test"]:
                name = "--lib" if "lib" in message["target"]["kind"] else message["target"]["name"]
                programs[package, name] = message["executable"]
            elif message.get("message", {}).get("level") == "error":
                errors += [(span["file_name"], span["byte_start"]) for span in message["message"]["spans"]]
                if not message["message"]["spans"]:
                    continue
        if run.returncode and not errors:
            sys.exit(f"{' '.join(command)} fails, not because of a mutant")
        if errors:
            break
    return programs, errors


def guilty(copy, errors):
    """The innermost mutant around each error."""
    found, places = set(), defaultdict(list)
    for file, start in errors:
        places[file].append(start)
    for file, starts in places.items():
        marks = re.finditer(rb"/\*([ME])(\d+)\*/", (copy / file).read_bytes())
        opened, mark = [], next(marks, None)
        for start in sorted(starts):
            while mark and mark.end() <= start:
                number = int(mark[2])
                if mark[1] == b"M":
                    opened.append(number)
                elif number in opened:
                    opened.remove(number)
                mark = next(marks, None)
            found.update(opened[-1:])
    return found


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def caught(copy, tests, programs, number):
    """The test that notices, if one does."""
    environment = os.environ | {"GATEPOST_MUTANT": str(number), "RUST_BACKTRACE": "0"}
    for package, words, filters in tests:
        folder = copy / ("core" if package == "gatepost" else "conformance")
        command = [programs[package, words[-1]], "-q", *filters]
        try:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            run = subprocess.run(command, cwd=folder, env=environment, timeout=SECONDS, preexec_fn=limit, **quiet)
        except subprocess.TimeoutExpired:
            return f"{words[-1]} (time)"
        if run.returncode:
            return words[-1]
    return None


def main():
    copy, tests, prefixes = Path(sys.argv[1]).resolve(), SETS[sys.argv[3]], sys.argv[4:]
    mutants = [one for one in json.loads(Path(sys.argv[2]).read_text()) if one["name"].startswith(tuple(prefixes) or "")]
    files = defaultdict(list)
    for number, mutant in enumerate(mutants):
        files[mutant["file"]].append((number, mutant))
    sources = [Source(copy / file, own) for file, own in files.items()]
    lib = copy / "core/src/lib.rs"
    if "mod mutants" not in lib.read_text():
        lib.write_text(lib.read_text() + SWITCH)
    without = set()
    while True:
        apart = {number for source in sources for number in source.place(without)}
        for source in sources:
            source.write()
        programs, errors = build(copy, tests)
        if not errors:
            break
        found = guilty(copy, errors) - without
        if not found:
            sys.exit(f"does not build: {errors[:5]}")
        without |= found
    assert caught(copy, tests, programs, "none") is None, "the tests fail without a mutant"
    counts = defaultdict(Counter)
    judge = lambda number: "apart" if number in apart else caught(copy, tests, programs, number)
    judged = ThreadPoolExecutor(os.cpu_count()).map(judge, range(len(mutants)))
    for mutant, test in zip(mutants, judged):
        outcome = test if test == "apart" else "caught" if test else "missed"
        counts[mutant["file"]][outcome] += 1
        print(f"{outcome}\t{mutant['name']}\t{test or ''}", flush=True)
    for file, own in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        print(f"{file}: " + ", ".join(f"{own[outcome]} {outcome}" for outcome in ("caught", "missed", "apart")))


main()
