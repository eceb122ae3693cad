"""Reading manifests, and what bad ones get."""

from __future__ import annotations

from pathlib import Path

import pytest

import gatepost

from conftest import MANIFESTS

BAD = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop}
spec:
  rules:
  - matches:
    - path: {type: Exact, value: cart}
"""


def test_objects_are_plain_dicts(resources: gatepost.Resources) -> None:
    assert len(resources) == 4
    assert list(resources) == ["Gateway/infra/gw", "HTTPRoute/shop/cart", "Service/shop/cart-v1", "Service/shop/cart-v2"]
    assert [str(key) for key in resources.keys()] == list(resources)
    assert "Service/shop/cart-v1" in resources
    assert gatepost.ObjectKey("Service", "shop", "cart-v1") in resources
    assert resources["Service/shop/cart-v1"]["spec"] == {"ports": [{"port": 8080}]}
    with pytest.raises(KeyError):
        resources["Service/shop/none"]
    assert repr(resources) == "<gatepost.Resources: 4 objects, 0 problems>"


def test_refused_objects_raise_with_their_place() -> None:
    with pytest.raises(gatepost.ManifestError) as caught:
        gatepost.Resources.from_yaml(BAD, source="routes.yaml")
    error = caught.value
    assert (error.path, error.line, error.column) == ("routes.yaml", 7, 13)
    assert str(error).startswith("routes.yaml:7:13: error: HTTPRoute/shop/cart: spec.rules[0].matches[0].path: ")
    assert error.problems[0].field == "spec.rules[0].matches[0].path"
    assert isinstance(error, ValueError)


def test_what_is_sound_is_there_without_strictness() -> None:
    resources = gatepost.Resources.from_yaml(MANIFESTS + "---\n" + BAD.replace("cart,", "other,"), strict=False)
    assert len(resources) == 4
    assert [problem.level for problem in resources.problems] == ["error"]


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: [", (1, 5)), (b"a: \xff", (1, 4)), ("a: \x00", (1, 4)), ("\ud800", (1, 1)), ("just text", (1, 1))],
)
def test_unreadable_texts_have_a_place(text: str | bytes, place: tuple[int, int]) -> None:
    with pytest.raises(gatepost.ManifestError) as caught:
        gatepost.Resources.from_yaml(text)
    assert caught.value.path == "<text>"
    assert (caught.value.line, caught.value.column) == place


def test_unknown_fields_are_warnings() -> None:
    text = MANIFESTS.replace("hostnames:", "hostname: x\n  hostnames:")
    resources = gatepost.Resources.from_yaml(text)
    (problem,) = resources.problems
    assert (problem.level, problem.field, problem.object) == ("warning", "spec.hostname", "HTTPRoute/shop/cart")
    assert str(problem).startswith("<text>:20:13: warning: HTTPRoute/shop/cart: spec.hostname: ")


def test_json_comes_as_text_or_values(resources: gatepost.Resources) -> None:
    import json

    objects = [resources[key] for key in resources]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    assert gatepost.Resources.from_json(objects) == resources
    assert gatepost.Resources.from_json(listed) == resources
    assert gatepost.Resources.from_json(json.dumps(listed)) == resources
    assert gatepost.Resources.from_json(json.dumps(listed).encode()) == resources
    assert len(gatepost.Resources.from_json(objects[0])) == 1


def test_yaml_is_not_json() -> None:
    with pytest.raises(gatepost.ManifestError) as caught:
        gatepost.Resources.from_json("a: b", source="x.json")
    assert (caught.value.path, caught.value.line, caught.value.column) == ("x.json", 1, 1)


def test_files_and_folders(tmp_path: Path, resources: gatepost.Resources) -> None:
    folder = tmp_path / "routes"
    folder.mkdir()
    for number, part in enumerate(MANIFESTS.split("---\n")):
        (folder / f"{number}.yaml").write_text(part)
    assert gatepost.Resources.from_files(folder) == resources
    assert gatepost.Resources.from_files(str(folder)) == resources
    assert gatepost.Resources.from_files([folder / f"{number}.yaml" for number in range(4)]) == resources


def test_missing_files_raise(tmp_path: Path) -> None:
    with pytest.raises(gatepost.ManifestError, match="cannot be read") as caught:
        gatepost.Resources.from_files(tmp_path / "none.yaml")
    assert caught.value.path == str(tmp_path / "none.yaml")
    assert caught.value.line is None


def test_the_channel_judges() -> None:
    route = """
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: a}
spec: {rules: [{backendRefs: [{name: a, port: 1}]}]}
"""
    assert len(gatepost.Resources.from_yaml(route)) == 1
    with pytest.raises(gatepost.ManifestError, match="has no version `v1alpha2`"):
        gatepost.Resources.from_yaml(route, channel="standard")
    with pytest.raises(gatepost.InvalidSetting, match="`beta` is not a channel"):
        gatepost.Resources.from_yaml(route, channel="beta")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, 3, ["a"]])
def test_wrong_types_are_type_errors(text: object) -> None:
    with pytest.raises(TypeError, match="text: expected str or bytes"):
        gatepost.Resources.from_yaml(text)  # type: ignore[arg-type]


def test_secrets_are_not_printed() -> None:
    resources = gatepost.Resources.from_yaml("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: aHVzaA==}\n")
    assert "aHVzaA==" not in repr(resources) + str(resources.problems)
