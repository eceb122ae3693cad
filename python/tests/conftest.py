"""Manifests that the tests share."""

from __future__ import annotations

import pytest

import gatepost

MANIFESTS = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: infra}
spec:
  gatewayClassName: gatepost
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - name: shop
    port: 443
    protocol: HTTPS
    hostname: shop.example.com
    allowedRoutes: {namespaces: {from: All}}
    tls: {certificateRefs: [{name: shop}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop}
spec:
  parentRefs: [{name: gw, namespace: infra, sectionName: http}]
  hostnames: [shop.example.com]
  rules:
  - name: canary
    matches: [{path: {value: /cart}, headers: [{name: x-canary, value: "1"}]}]
    filters:
    - type: URLRewrite
      urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2}}
    - type: RequestHeaderModifier
      requestHeaderModifier: {add: [{name: x-release, value: canary}], remove: [x-canary]}
    backendRefs: [{name: cart-v2, port: 8080}]
  - name: checkout
    matches: [{path: {value: /cart}}]
    filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: x-served-by, value: gatepost}]}
    backendRefs: [{name: cart-v1, port: 8080, weight: 9}, {name: cart-v2, port: 8080, weight: 1}]
  - name: old
    matches: [{path: {type: Exact, value: /old}}]
    filters:
    - type: RequestRedirect
      requestRedirect: {scheme: https, statusCode: 301, path: {type: ReplaceFullPath, replaceFullPath: /cart}}
---
apiVersion: v1
kind: Service
metadata: {name: cart-v1, namespace: shop}
spec: {ports: [{port: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart-v2, namespace: shop}
spec: {ports: [{port: 8080, appProtocol: kubernetes.io/h2c}]}
"""


@pytest.fixture(scope="session")
def resources() -> gatepost.Resources:
    """The manifests, read."""
    return gatepost.Resources.from_yaml(MANIFESTS, source="shop.yaml")


@pytest.fixture(scope="session")
def resolution(resources: gatepost.Resources) -> gatepost.Resolution:
    """What they come to."""
    return gatepost.Controller().resolve(resources)


@pytest.fixture(scope="session")
def table(resolution: gatepost.Resolution) -> gatepost.Table:
    """The Gateway's table."""
    return resolution.table("infra/gw")
