"""The examples of the README do what it says."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert found, f"the README has no {language}"
    return found


@pytest.fixture(autouse=True)
def beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which the README's file lies."""
    (manifest,) = blocks("yaml")
    (tmp_path / "routes.yaml").write_text(manifest, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_sessions() -> None:
    test = doctest.DocTestParser().get_doctest("\n".join(blocks("pycon")), {}, "README.md", str(README), 0)
    assert len(test.examples) > 15
    output: list[str] = []
    failed, _ = doctest.DocTestRunner().run(test, out=output.append)
    assert failed == 0, "".join(output)


def test_the_example_of_a_test_passes(tmp_path: Path) -> None:
    (code,) = blocks("python")
    (tmp_path / "test_routes.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "test_routes.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_commands_run() -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    commands = [line[2:] for block in blocks("console") for line in block.splitlines()]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path})
        assert done.returncode == 0, (command, done.stdout, done.stderr)
