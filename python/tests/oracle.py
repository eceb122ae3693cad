"""What the Gateway API says about which match serves a request, in as few words as possible: all that fit, then the greatest.

It shares no code with gatepost and leaves out what it does not need: no expressions, no escapes in paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request in parts."""

    method: str
    host: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def _host(pattern: str | None, host: str) -> tuple[int, int] | None:
    """How specific a hostname is for a host; ``None`` if it does not mean it."""
    if pattern is None:
        return (0, 0)
    if pattern.startswith("*."):
        suffix = pattern[1:]
        return (1, len(suffix)) if host.endswith(suffix) and host != suffix[1:] else None
    return (2, 0) if host == pattern else None


def _path(match: dict[str, Any], path: str) -> tuple[int, int] | None:
    wanted = match.get("path", {"type": "PathPrefix", "value": "/"})
    value = wanted["value"]
    if wanted["type"] == "Exact":
        return (2, 0) if path == value else None
    elements = [part for part in value.split("/") if part]
    if path.split("/")[1 : len(elements) + 1] != elements:
        return None
    return (0, len("/".join(elements)))


def winner(routes: list[dict[str, Any]], request: Request) -> tuple[str, int, int] | None:
    """The route's ``namespace/name``, the rule and the match that serve a request."""
    fitting = []
    for route in routes:
        metadata, spec = route["metadata"], route["spec"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        for pattern in spec.get("hostnames") or [None]:
            for index, rule in enumerate(spec["rules"]):
                for position, match in enumerate(rule.get("matches") or [{}]):
                    host, path = _host(pattern, request.host), _path(match, request.path)
                    headers, query = match.get("headers", []), match.get("queryParams", [])
                    fits = (
                        host is not None
                        and path is not None
                        and match.get("method") in {None, request.method}
                        and all(request.headers.get(one["name"]) == one["value"] for one in headers)
                        and all(request.query.get(one["name"]) == one["value"] for one in query)
                    )
                    if fits:
                        age = metadata.get("creationTimestamp", "9999")
                        more = (host, path, "method" in match, len(headers), len(query))
                        fitting.append((more, age, name, index, position))
    if not fitting:
        return None
    most = max(one[0] for one in fitting)
    _, _, name, index, position = min((one for one in fitting if one[0] == most), key=lambda one: one[1:])
    return name, index, position
