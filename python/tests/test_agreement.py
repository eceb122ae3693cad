"""The table against the oracle, and against texts that nobody would write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gatepost

from oracle import Request, winner

GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "gw", "namespace": "infra"},
    "spec": {
        "gatewayClassName": "gatepost",
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}],
    },
}
HOSTS = ["a.example.com", "b.a.example.com", "c.b.a.example.com", "example.com", "other.org"]
PATTERNS = ["a.example.com", "b.a.example.com", "*.example.com", "*.a.example.com", "*.com", "other.org"]
PATHS = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b"]
METHODS = ["GET", "POST"]
NAMES = ["x", "y", "z"]
VALUES = ["1", "2"]


def entries() -> st.SearchStrategy[list[dict[str, str]]]:
    """Header or query entries, each name once."""
    one = st.builds(lambda name, value: {"name": name, "value": value}, st.sampled_from(NAMES), st.sampled_from(VALUES))
    return st.lists(one, max_size=2, unique_by=lambda entry: entry["name"])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A dict from which what is empty is left out."""
    made = st.fixed_dictionaries({}, optional=fields)
    return made.map(lambda value: {key: one for key, one in value.items() if one})


PATH = st.fixed_dictionaries({"type": st.sampled_from(["Exact", "PathPrefix"]), "value": st.sampled_from(PATHS)})
MATCH = optional(path=PATH, method=st.sampled_from(METHODS), headers=entries(), queryParams=entries())
RULE = optional(matches=st.lists(MATCH, max_size=3))


@st.composite
def routes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """HTTPRoutes of one Gateway."""
    made: list[dict[str, Any]] = []
    for name in draw(st.lists(st.sampled_from(["n/a", "n/b", "m/a", "n/a-b", "n-a/b"]), min_size=1, max_size=4, unique=True)):
        namespace, _, short = name.partition("/")
        metadata = {"name": short, "namespace": namespace}
        if draw(st.booleans()):
            metadata["creationTimestamp"] = draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]))
        spec: dict[str, Any] = {
            "parentRefs": [{"name": "gw", "namespace": "infra"}],
            "rules": draw(st.lists(RULE, min_size=1, max_size=3)),
        }
        if hostnames := draw(st.lists(st.sampled_from(PATTERNS), max_size=2, unique=True)):
            spec["hostnames"] = hostnames
        made.append({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec})
    return made


PAIRS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=3)
REQUEST = st.builds(Request, st.sampled_from(METHODS), st.sampled_from(HOSTS), st.sampled_from(PATHS), PAIRS, PAIRS)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(routes(), st.lists(REQUEST, min_size=1, max_size=12))
def test_the_table_agrees_with_the_oracle(made: list[dict[str, Any]], requests: list[Request]) -> None:
    resources = gatepost.Resources.from_json([GATEWAY, *made])
    table = gatepost.Controller().resolve(resources).table("infra/gw")
    for request in requests:
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        url = f"http://{request.host}{request.path}" + (f"?{query}" if query else "")
        found = table.find(request.method, url, request.headers)
        answer = found and (f"{found.route.namespace}/{found.route.name}", found.rule.index, found.position)
        assert answer == winner(made, request), (request, str(table.explain(request.method, url, request.headers)))
        why = table.explain(request.method, url, request.headers)
        if found is None:
            assert (why.winner, why.status) == (None, 404)
        else:
            assert why.winner is not None
            assert (why.winner["route"], why.winner["rule"], why.winner["match"]) == (
                str(found.route),
                found.rule.index,
                found.position,
            )


ANYTHING = st.text(st.characters(), max_size=40)


@settings(max_examples=300, deadline=None)
@given(st.one_of(ANYTHING, st.binary(max_size=40)))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    for read in (gatepost.Resources.from_yaml, gatepost.Resources.from_json):
        try:
            read(text)
        except gatepost.ManifestError as error:
            assert error.problems
        assert read(text, strict=False) is not None if read is gatepost.Resources.from_yaml else True


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | ANYTHING, lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner)))
def test_any_value_is_read_or_refused(value: Any) -> None:
    if value is None or isinstance(value, bool | int):
        value = [value]
    try:
        gatepost.Resources.from_json(value)
    except gatepost.ManifestError as error:
        assert error.problems


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=ANYTHING | st.sampled_from(["GET", "CONNECT", "OPTIONS"]),
    url=ANYTHING | st.builds(lambda host, rest: f"http://{host}{rest}", st.sampled_from(["shop.example.com", "", "[::1]"]) | ANYTHING, ANYTHING),
    headers=st.dictionaries(ANYTHING, st.one_of(ANYTHING, st.binary(max_size=9), st.lists(ANYTHING, max_size=2)), max_size=3),
    sni=st.none() | st.text(max_size=9),
)
def test_any_request_is_answered(table: gatepost.Table, method: str, url: str, headers: dict[str, Any], sni: str | None) -> None:
    outcome: object
    try:
        outcome = table.find(method, url, headers, sni=sni)
    except gatepost.InvalidRequest:
        with pytest.raises(gatepost.InvalidRequest):
            table.explain(method, url, headers, sni=sni)
        return
    except gatepost.RequestRefused as error:
        outcome = error
    why = table.explain(method, url, headers, sni=sni)
    if isinstance(outcome, gatepost.RequestRefused):
        assert why.status in {outcome.status, None}
    else:
        assert (outcome is None) == (why.winner is None)


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_any_policy_is_understood_or_refused(text: str) -> None:
    try:
        gatepost.Controller(path_policy=text)
    except gatepost.InvalidSetting as error:
        assert "path_policy" in str(error)
    except UnicodeEncodeError:
        assert any("\ud800" <= character <= "\udfff" for character in text)
