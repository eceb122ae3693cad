"""Everything that gatepost raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatepost.model import Problem

__all__ = [
    "BadRequest",
    "ConnectNotServed",
    "GatepostError",
    "InternalError",
    "InvalidRequest",
    "InvalidSetting",
    "ManifestError",
    "MisdirectedRequest",
    "RequestRefused",
    "UnknownGateway",
]

_SHOWN = 20


class GatepostError(Exception):
    """The base of everything that gatepost raises."""


class ManifestError(GatepostError, ValueError):
    """Manifests that cannot be read, or hold objects that an API server would refuse.

    The text lists the errors, one a line, as ``gatepost check`` does.
    """

    problems: tuple[Problem, ...]
    """Everything that is wrong, warnings and notes included, in the order of texts and places."""
    path: str
    """The file of the first error, or what the caller called the text."""
    line: int | None
    """Its line, counted from 1; ``None`` for what has no place, such as a missing file."""
    column: int | None
    """Its column in characters, counted from 1."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in self.problems if problem.level == "error"]
        first = (errors or self.problems)[0] if self.problems else None
        self.path = first.path if first else ""
        self.line = first.line if first else None
        self.column = first.column if first else None
        lines = [str(problem) for problem in errors[:_SHOWN]]
        if len(errors) > _SHOWN:
            lines.append(f"and {len(errors) - _SHOWN} more errors")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


class InvalidSetting(GatepostError, ValueError):
    """An argument that is none of those that are understood, such as a misspelt path policy."""


class InvalidRequest(GatepostError, ValueError):
    """What was given is no request: a URL without scheme, a field name with a space."""


class UnknownGateway(GatepostError, KeyError):
    """A Gateway that is not there, or belongs to another controller."""

    name: str
    """The name that was asked for."""
    known: tuple[str, ...]
    """The names that there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(name, self.known)

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"`{self.name}` is not a Gateway of this controller; there are: {known}"


class RequestRefused(GatepostError):
    """A request that a gateway answers itself, before or instead of looking for a rule."""

    status: int = 0
    """The status of the answer."""
    reason: str
    """Why, in words."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"


class BadRequest(RequestRefused, ValueError):
    """400: a host, path or query that is malformed or that the path policy refuses."""

    status = 400


class MisdirectedRequest(RequestRefused):
    """421: the host belongs to another listener than the TLS connection (RFC 9110 section 15.5.20)."""

    status = 421


class ConnectNotServed(RequestRefused):
    """501: ``CONNECT``."""

    status = 501


class InternalError(GatepostError, RuntimeError):
    """A fault of gatepost itself. Please report it."""
