"""The Kubernetes Gateway API as a library: check manifests, explain requests, find the rule that serves one.

    >>> import gatepost
    >>> resources = gatepost.Resources.from_yaml(text, source="routes.yaml")
    >>> table = gatepost.Controller().resolve(resources).table("infra/gw")
    >>> match = table.find("GET", "https://shop.example.com/cart", headers={"x-canary": "1"})
"""

from __future__ import annotations

from gatepost._gatepost import (
    Controller,
    Resolution,
    Resources,
    Table,
    __version__,
    check,
)
from gatepost.errors import (
    BadRequest,
    ConnectNotServed,
    GatepostError,
    InternalError,
    InvalidRequest,
    InvalidSetting,
    ManifestError,
    MisdirectedRequest,
    RequestRefused,
    UnknownGateway,
)
from gatepost.model import (
    Authorize,
    Backend,
    Condition,
    Cors,
    Explanation,
    Fault,
    Listener,
    Match,
    Mirror,
    ObjectKey,
    PartStatus,
    Problem,
    Redirect,
    RequestHeaders,
    ResponseHeaders,
    ResponseStep,
    Rewrite,
    RouteEntry,
    Rule,
    Status,
    Step,
)

__all__ = [
    "Authorize",
    "Backend",
    "BadRequest",
    "Condition",
    "ConnectNotServed",
    "Controller",
    "Cors",
    "Explanation",
    "Fault",
    "GatepostError",
    "InternalError",
    "InvalidRequest",
    "InvalidSetting",
    "Listener",
    "ManifestError",
    "Match",
    "Mirror",
    "MisdirectedRequest",
    "ObjectKey",
    "PartStatus",
    "Problem",
    "Redirect",
    "RequestHeaders",
    "RequestRefused",
    "Resolution",
    "Resources",
    "ResponseHeaders",
    "ResponseStep",
    "Rewrite",
    "RouteEntry",
    "Rule",
    "Status",
    "Step",
    "Table",
    "UnknownGateway",
    "__version__",
    "check",
]
