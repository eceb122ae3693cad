"""Tables, statuses, and values that compare, hash, print and pickle."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

import gatepost

from conftest import MANIFESTS


def test_tables_by_gateway(resolution: gatepost.Resolution, table: gatepost.Table) -> None:
    assert resolution.tables == {"infra/gw": table}
    assert table.gateways == ("infra/gw",)
    assert [listener.name for listener in table.listeners] == ["http"]
    with pytest.raises(gatepost.UnknownGateway) as caught:
        resolution.table("infra/other")
    assert caught.value.known == ("infra/gw",)
    assert str(caught.value) == "`infra/other` is not a Gateway of this controller; there are: infra/gw"
    assert isinstance(caught.value, KeyError)


def test_statuses_have_conditions(resources: gatepost.Resources) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    statuses = gatepost.Controller().resolve(resources, now=now).statuses
    assert list(statuses) == ["Gateway/infra/gw", "HTTPRoute/shop/cart"]
    route = statuses["HTTPRoute/shop/cart"]
    assert route.ok
    (parent,) = route.parents
    assert parent.name == "infra/gw[http]"
    accepted = next(one for one in parent.conditions if one.type == "Accepted")
    assert (accepted.status, accepted.reason, accepted.last_transition_time) == ("True", "Accepted", "2026-01-02T03:04:05Z")
    gateway = statuses["Gateway/infra/gw"]
    assert not gateway.ok
    assert [(one.name, one.ok, one.attached_routes) for one in gateway.listeners] == [("http", True, 1), ("shop", False, 0)]
    reasons = {one.reason for one in gateway.listeners[1].conditions if not one.ok}
    assert "InvalidCertificateRef" in reasons
    assert route.to_dict()["parents"][0]["controllerName"] == "gatepost.dev/gateway-controller"


def test_settings_are_judged() -> None:
    assert gatepost.Controller().controller_name == "gatepost.dev/gateway-controller"
    assert repr(gatepost.Controller()) == "gatepost.Controller()"
    with pytest.raises(gatepost.InvalidSetting, match="path_policy: `nonsense` is not understood"):
        gatepost.Controller(path_policy="nonsense")
    with pytest.raises(TypeError):
        gatepost.Controller("gatepost.dev/x")  # type: ignore[call-arg]


def test_the_path_policy_holds(resources: gatepost.Resources) -> None:
    table = gatepost.Controller(path_policy="encodedSlash=keep").resolve(resources).table("infra/gw")
    found = table.find("GET", "http://shop.example.com/cart/a%2fb")
    assert found is not None
    assert found.path == "/cart/a%2Fb"


def test_other_controllers_have_no_table(resources: gatepost.Resources) -> None:
    resolution = gatepost.Controller(kubernetes=True).resolve(resources)
    assert resolution.tables == {}


def values(resolution: gatepost.Resolution) -> list[object]:
    table = resolution.table("infra/gw")
    urls = ["http://shop.example.com/cart", "http://shop.example.com/old"]
    found = [table.find("GET", url, {"x-canary": "1"}) for url in urls]
    return [
        resolution.resources,
        resolution.controller,
        gatepost.Controller(controller_name="a'b", path_policy="mergeSlashes=false", kubernetes=True),
        resolution,
        table,
        *found,
        table.explain("GET", urls[0]),
        *table.routes(),
        *resolution.statuses.values(),
        *gatepost.Resources.from_yaml("a: 1", strict=False).problems,
    ]


def test_values_compare_hash_copy_and_pickle(resolution: gatepost.Resolution) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    again = gatepost.Controller().resolve(gatepost.Resources.from_yaml(MANIFESTS, "other.yaml"), now=now)
    assert again == resolution
    assert hash(again) == hash(resolution)
    for value in values(resolution):
        for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert type(other) is type(value)
            assert other == value
            assert hash(other) == hash(value)
            assert repr(other) == repr(value)
        assert value != 3
        assert value in {value}


def test_pickled_tables_answer(table: gatepost.Table) -> None:
    again: gatepost.Table = pickle.loads(pickle.dumps(table))
    ask = ("GET", "http://shop.example.com/cart", {"x-canary": "1"})
    assert again.find(*ask) == table.find(*ask)
    assert str(again.explain(*ask)) == str(table.explain(*ask))


def test_different_things_differ(resolution: gatepost.Resolution, resources: gatepost.Resources) -> None:
    other = gatepost.Controller(path_policy="mergeSlashes=false").resolve(resources)
    assert other != resolution
    assert other.table("infra/gw") != resolution.table("infra/gw")
    fewer = gatepost.Resources.from_yaml(MANIFESTS.rsplit("---\n", 1)[0])
    assert fewer != resources
    assert gatepost.Resources.from_yaml(MANIFESTS, channel="standard") != resources


def test_everything_is_frozen(resolution: gatepost.Resolution) -> None:
    for value in values(resolution):
        name = dataclasses.fields(value)[0].name if dataclasses.is_dataclass(value) else "anything"
        with pytest.raises(AttributeError):
            setattr(value, name, 1)


def test_reprs_can_be_read_back(table: gatepost.Table) -> None:
    controller = gatepost.Controller(controller_name="a'b", kubernetes=True)
    assert eval(repr(controller), {"gatepost": gatepost}) == controller
    found = table.find("GET", "http://shop.example.com/cart")
    assert eval(repr(found), dict(vars(gatepost))) == found
    assert repr(table) == "<gatepost.Table: infra/gw, 3 rules>"


@pytest.mark.parametrize("name", ["ManifestError", "UnknownGateway", "BadRequest", "InvalidSetting"])
def test_errors_pickle(name: str, resolution: gatepost.Resolution) -> None:
    makers: dict[str, Callable[[], object]] = {
        "ManifestError": lambda: gatepost.Resources.from_yaml("a: ["),
        "UnknownGateway": lambda: resolution.table("x"),
        "BadRequest": lambda: resolution.table("infra/gw").find("GET", "http://a/%"),
        "InvalidSetting": lambda: gatepost.Controller(path_policy="x"),
    }
    with pytest.raises(gatepost.GatepostError) as caught:
        makers[name]()
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert type(again).__name__ == name
    assert str(again) == str(caught.value)
    assert vars(again) == vars(caught.value)
