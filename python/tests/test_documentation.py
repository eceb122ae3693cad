"""What ``help()`` shows is what the stubs say."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import gatepost
from gatepost import _gatepost

STUB = Path(_gatepost.__file__).with_name("_gatepost.pyi")


def test_help_and_stubs_agree() -> None:
    compared = 0

    def compare(owner: object, body: list[ast.stmt]) -> None:
        nonlocal compared
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("__"):
                continue
            stub, found = ast.get_docstring(node), inspect.getdoc(getattr(owner, node.name))
            assert stub and found, node.name
            assert found.splitlines()[0] == stub.splitlines()[0], node.name
            compared += 1
            if isinstance(node, ast.ClassDef):
                compare(getattr(owner, node.name), node.body)

    compare(_gatepost, ast.parse(STUB.read_text(encoding="utf-8")).body)
    assert compared >= 30


def test_everything_public_is_documented() -> None:
    for name in gatepost.__all__:
        value = getattr(gatepost, name)
        if inspect.isclass(value) or callable(value):
            assert inspect.getdoc(value), name
