"""Which rule serves a request, and what has to be done to it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

import gatepost

CART = "http://shop.example.com/cart/7?x=1"


def test_a_match_says_where_a_request_goes(table: gatepost.Table) -> None:
    found = table.find("GET", CART)
    assert found is not None
    assert str(found.route) == "HTTPRoute/shop/cart"
    assert found.rule == gatepost.Rule(index=1, name="checkout")
    assert (found.path, found.query) == ("/cart/7", "x=1")
    assert [(str(backend), backend.share) for backend in found.backends] == [
        ("shop/cart-v1:8080", 0.9),
        ("shop/cart-v2:8080", 0.1),
    ]
    assert [backend.protocol for backend in found.backends] == [None, "http2"]
    assert found.steps == ()
    assert found.response_steps == (gatepost.ResponseHeaders((), (("x-served-by", "gatepost"),), ()),)
    assert found.listener == gatepost.Listener("infra/gw", "http", 80, "HTTP", None)
    assert found.hostname == "shop.example.com"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-canary": "1"},
        {"X-Canary": b"1"},
        {"x-canary": ["1"]},
        [("accept", "*/*"), ("x-canary", "1")],
        (pair for pair in [("x-canary", "1")]),
    ],
)
def test_headers_come_in_several_forms(table: gatepost.Table, headers: object) -> None:
    found = table.find("GET", CART, headers=headers)  # type: ignore[arg-type]
    assert found is not None
    assert found.rule.name == "canary"
    assert found.steps == (
        gatepost.RequestHeaders(("x-canary",), (), (("x-release", "canary"),)),
        gatepost.Rewrite(hostname=None, path="/v2/7"),
    )


def test_repeated_fields_are_joined(table: gatepost.Table) -> None:
    found = table.find("GET", CART, headers={"x-canary": ["1", "1"]})
    assert found is not None
    assert found.rule.name == "checkout"


def test_a_host_field_stands_for_the_url(table: gatepost.Table) -> None:
    found = table.find("GET", "http://127.0.0.1/cart", headers={"Host": "SHOP.example.com."})
    assert found is not None
    assert found.hostname == "shop.example.com"


def test_steps_match_by_position(table: gatepost.Table) -> None:
    found = table.find("GET", "http://shop.example.com/old?y")
    assert found is not None
    match found.steps:
        case (gatepost.Redirect(status, location),):
            assert (status, location) == (301, "https://shop.example.com/cart?y")
        case _:
            pytest.fail(f"no redirect: {found.steps}")


@pytest.mark.parametrize("url", ["http://shop.example.com/", "http://other.example.com/cart", "http://shop.example.com:81/cart"])
def test_nothing_serves_it(table: gatepost.Table, url: str) -> None:
    assert table.find("GET", url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://shop.example.com/a%2Fb", "the path has an encoded slash"),
        ("http://shop.example.com/%zz", "the path has a `%` without two hexadecimal digits"),
        ("http://user@shop.example.com/", "the host is not a name or an address with an optional port"),
        ("http://shop.example.com/#top", "the path has a character that has to be encoded"),
        ("http:///cart", "the host is not a name or an address with an optional port"),
    ],
)
def test_bad_requests_are_refused(table: gatepost.Table, url: str, reason: str) -> None:
    with pytest.raises(gatepost.BadRequest) as caught:
        table.find("GET", url)
    assert (caught.value.status, caught.value.reason) == (400, reason)
    assert str(caught.value) == f"400: {reason}"
    assert isinstance(caught.value, ValueError)
    assert f"✗ 400  {reason}" in str(table.explain("GET", url))


def test_two_hosts_are_refused(table: gatepost.Table) -> None:
    with pytest.raises(gatepost.BadRequest, match="more than one Host"):
        table.find("GET", CART, headers={"host": ["a", "b"]})


def test_connect_is_not_served(table: gatepost.Table) -> None:
    with pytest.raises(gatepost.ConnectNotServed) as caught:
        table.find("CONNECT", "http://shop.example.com:80")
    assert caught.value.status == 501


def test_misdirected_requests_are_refused() -> None:
    def listener(name: str) -> dict[str, object]:
        return {"name": name, "port": 443, "protocol": "HTTPS", "hostname": f"{name}.example.com", "tls": {"certificateRefs": [{"name": "tls"}]}}

    spec = {"gatewayClassName": "gatepost", "listeners": [listener("one"), listener("two")]}
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"}, "spec": spec}
    pem = {name: (Path(__file__).parent / name).read_bytes() for name in ("tls.crt", "tls.key")}
    data = {name: base64.b64encode(text).decode() for name, text in pem.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "type": "kubernetes.io/tls", "data": data}
    table = gatepost.Controller().resolve(gatepost.Resources.from_json([gateway, secret])).table("default/gw")
    assert [one.name for one in table.listeners] == ["one", "two"]
    assert table.find("GET", "https://two.example.com/") is None
    with pytest.raises(gatepost.MisdirectedRequest) as caught:
        table.find("GET", "https://two.example.com/", sni="one.example.com")
    assert caught.value.status == 421
    assert table.explain("GET", "https://two.example.com/", sni="one.example.com").status == 421


@pytest.mark.parametrize(
    ("method", "url", "headers", "message"),
    [
        ("GET", "shop.example.com/cart", None, "`shop.example.com/cart` is not a URL"),
        ("GET", "", None, "`` is not a URL"),
        ("GET", "http://shop.example.com:99999/", None, "`99999` is not a port"),
        ("G T", CART, None, "`G T` is not a method"),
        ("GET", CART, {"x y": "1"}, "`x y` is not the name of a field"),
        ("GET", CART, {"x": "a\nb"}, "control characters"),
        ("GET", "http://a\n/", None, "`a\\n` is not a host"),
        ("GET", "http://a/\ud800", None, "characters that cannot be sent"),
    ],
)
def test_what_is_no_request_says_so(
    table: gatepost.Table, method: str, url: str, headers: dict[str, str] | None, message: str
) -> None:
    for ask in (table.find, table.explain):
        with pytest.raises(gatepost.InvalidRequest) as caught:
            ask(method, url, headers)
        assert message in str(caught.value)


@pytest.mark.parametrize("headers", [3, ["x"], {"x": 3}, {"x": [3]}, {3: "x"}, [("a", "b", "c")]])
def test_wrong_types_are_type_errors(table: gatepost.Table, headers: object) -> None:
    with pytest.raises(TypeError, match="headers"):
        table.find("GET", CART, headers)  # type: ignore[arg-type]


def test_explain_is_the_text_of_the_command_line(table: gatepost.Table) -> None:
    why = table.explain("GET", CART, {"x-canary": "1"})
    assert "✓ WIN  shop/cart  rule[0] \"canary\"  match[0]   shop.yaml:23:15" in str(why)
    value = why.to_dict()
    assert value["schema"] == "gatepost/explain/v1"
    assert why.winner is not None and why.winner["name"] == "canary"
    assert why.status is None
    assert why.nearest is None


def test_explain_names_the_nearest_miss(table: gatepost.Table) -> None:
    why = table.explain("GET", "http://shop.example.com/nothing")
    assert (why.status, why.winner) == (404, None)
    assert why.nearest is not None
    assert why.nearest["reason"] in str(why)


def test_explain_says_that_nothing_listens(table: gatepost.Table) -> None:
    assert str(table.explain("GET", "http://shop.example.com:81/")) == "no listener on port 81; there are listeners on: 80\n"


def test_routes_stand_in_the_order_in_which_they_are_tried(table: gatepost.Table) -> None:
    listed = [(entry.order, entry.rule.name, entry.matches) for entry in table.routes()]
    assert listed == [
        (1, "old", "path Exact /old (4 chars)"),
        (2, "canary", 'path PathPrefix /cart (5 chars) · header x-canary = "1"'),
        (3, "checkout", "path PathPrefix /cart (5 chars)"),
    ]
