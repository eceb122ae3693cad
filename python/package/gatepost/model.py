"""What gatepost answers with: plain values that compare, hash, print and pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = [
    "Authorize",
    "Backend",
    "Condition",
    "PartStatus",
    "Cors",
    "Explanation",
    "Fault",
    "Listener",
    "Match",
    "Mirror",
    "ObjectKey",
    "Problem",
    "Redirect",
    "RequestHeaders",
    "ResponseHeaders",
    "ResponseStep",
    "Rewrite",
    "RouteEntry",
    "Rule",
    "Status",
    "Step",
]

Fields: TypeAlias = tuple[tuple[str, str], ...]
"""Header fields, name and value, in order."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with what somebody wrote. Its ``str()`` is the line of ``gatepost check``."""

    level: Literal["error", "warning", "note"]
    """``error``: refused, or does not do what it says. ``warning``: hardly as meant. ``note``: passed over on purpose."""
    path: str
    """The file, or what the caller called the text."""
    line: int | None
    """The line, counted from 1."""
    column: int | None
    """The column in characters, counted from 1."""
    object: str | None
    """The object, as ``Kind/namespace/name`` as far as it is known."""
    field: str | None
    """The field, such as ``spec.rules[0].matches[1].path.value``."""
    message: str
    """What is wrong, and what was expected."""

    def __str__(self) -> str:
        place = "" if self.line is None else f"{self.line}:{self.column}:"
        named = "".join(f" {part}:" for part in (self.object, self.field) if part)
        return f"{self.path}:{place} {self.level}:{named} {self.message}"


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Kind, namespace and name. Its ``str()`` is ``HTTPRoute/shop/cart``, without namespace where the kind has none."""

    kind: str
    """The kind, such as ``HTTPRoute``."""
    namespace: str
    """The namespace; empty for kinds that lie in none."""
    name: str
    """The name."""

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener that serves."""

    gateway: str
    """The Gateway, as ``namespace/name``."""
    name: str
    """``name``."""
    port: int
    """``port``, as the specification counts it."""
    protocol: Literal["HTTP", "HTTPS", "TLS", "TCP", "UDP"]
    """``protocol``."""
    hostname: str | None
    """``hostname``; ``None`` takes every host."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a route."""

    index: int
    """Its position in ``spec.rules``, counted from 0."""
    name: str | None
    """``name``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Answer 500: a filter could not be resolved and may not be skipped."""

    reason: str
    """Why, for logs."""


@dataclass(frozen=True, slots=True)
class Cors:
    """Answer preflights and mark the answers of other requests (``HTTPCORSFilter``)."""

    allow_credentials: bool
    """``allowCredentials``."""
    max_age: int
    """``maxAge``, in seconds."""


@dataclass(frozen=True, slots=True)
class Authorize:
    """Ask a service whether the request may pass (``HTTPExternalAuthFilter``)."""

    backend: str
    """The service, as ``namespace/name:port``; empty if it cannot be used, so that no request passes."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with a redirect."""

    status: int
    """The status: 301, 302, 303, 307 or 308; 400 if no ``Location`` can be written for the request."""
    location: str | None
    """``Location``, worked out for the request: an absolute URL."""


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """Edit the fields of the request: remove, then set, then add."""

    remove: tuple[str, ...]
    """Names in lower case."""
    set: Fields
    """Fields that replace those of their names."""
    add: Fields
    """Fields that are appended."""


@dataclass(frozen=True, slots=True)
class ResponseHeaders:
    """Edit the fields of the answer: remove, then set, then add."""

    remove: tuple[str, ...]
    """Names in lower case."""
    set: Fields
    """Fields that replace those of their names."""
    add: Fields
    """Fields that are appended."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Replace host or path before forwarding."""

    hostname: str | None
    """The new authority; ``None`` keeps it."""
    path: str | None
    """The new path, worked out for the request; ``None`` keeps it. The query stays."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Send a copy of the request."""

    backend: str
    """Where to, as ``namespace/name:port``; empty if it cannot be used, so that nothing is sent."""
    share: float
    """The share of requests that is copied, 0 to 1."""


Step: TypeAlias = Fault | Cors | Authorize | Redirect | RequestHeaders | Rewrite | Mirror
"""What has to be done before the request goes on."""

ResponseStep: TypeAlias = ResponseHeaders | Cors
"""What has to be done with the answer."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One entry of ``backendRefs``. Its ``str()`` is ``shop/cart:8080``; one that cannot be used says ``500`` and why."""

    kind: str | None
    """``Service`` or ``XBackend``; with ``namespace``, ``name`` and ``port`` ``None`` if the entry cannot be used."""
    namespace: str | None
    """Its namespace."""
    name: str | None
    """Its name."""
    port: int | None
    """The port's number in the Service."""
    weight: int
    """``weight``."""
    share: float
    """The share of the rule's requests, 0 to 1; one that cannot be used keeps its share and answers 500."""
    protocol: str | None
    """What is spoken there: ``http1``, ``http2``, ``websocket``, ``tcp``; ``None`` if the Service does not say."""
    tls: bool
    """Whether TLS is spoken toward it."""
    invalid: str | None
    """Why it cannot be used, such as ``BackendNotFound: …``."""
    steps: tuple[Step, ...]
    """What has to be done after the rule's own steps when this backend is picked."""
    response_steps: tuple[ResponseStep, ...]
    """What has to be done with its answer, before the rule's own steps."""

    def __str__(self) -> str:
        if self.invalid is not None:
            return f"500 ({self.invalid})"
        return f"{self.namespace}/{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that serves a request."""

    listener: Listener
    """The listener."""
    hostname: str | None
    """The hostname of the route by which the request came; ``None`` if the route takes every host."""
    route: ObjectKey
    """The route."""
    rule: Rule
    """The rule."""
    position: int
    """Which entry of the rule's ``matches`` it is, counted from 0."""
    path: str
    """The path in canonical form: what was compared, and what is forwarded."""
    query: str | None
    """The query as it came, without ``?``."""
    backends: tuple[Backend, ...]
    """Where it may go, in the order of ``backendRefs``."""
    steps: tuple[Step, ...]
    """What has to be done before the request goes on, in this order."""
    response_steps: tuple[ResponseStep, ...]
    """What has to be done with the answer, in this order."""


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One match of one rule under one hostname, as a listener tries them."""

    listener: Listener
    """The listener."""
    order: int
    """Its place in the listener's order, counted from 1."""
    hostname: str | None
    """The hostname; ``None`` for all hosts."""
    route: ObjectKey
    """The route."""
    rule: Rule
    """The rule."""
    position: int
    """Which entry of the rule's ``matches`` it is."""
    matches: str
    """What it asks of a request, in words."""
    filters: tuple[str, ...]
    """The rule's filters by their names, in the order in which they run."""
    backends: str
    """Where requests go, in words."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which rule serves a request, and why no other does. Its ``str()`` is the text of ``gatepost explain``."""

    text: str
    """For people."""
    json: str
    """For programs: the JSON of ``gatepost explain -o json``."""

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The JSON as a dict; its field ``schema`` says ``gatepost/explain/v1``."""
        value: dict[str, Any] = json.loads(self.json)
        return value

    @property
    def winner(self) -> dict[str, Any] | None:
        """The match that serves the request; ``None`` if there is none."""
        return self.to_dict().get("winner")

    @property
    def nearest(self) -> dict[str, Any] | None:
        """Where no match serves the request, the one that lacks the least."""
        return self.to_dict().get("nearest")

    @property
    def status(self) -> int | None:
        """The status of the gateway's own answer where no rule serves the request; ``None`` without such an answer."""
        return self.to_dict().get("status")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a status."""

    type: str
    """``type``, such as ``Accepted``."""
    status: Literal["True", "False", "Unknown"]
    """``status``."""
    reason: str
    """``reason``."""
    message: str
    """``message``."""
    observed_generation: int | None
    """``observedGeneration``."""
    last_transition_time: str
    """``lastTransitionTime``, RFC 3339."""

    @property
    def ok(self) -> bool:
        """Whether it says that things are as they should be."""
        return (self.status == "True") != (self.type in {"Conflicted", "PartiallyInvalid"})


@dataclass(frozen=True, slots=True)
class PartStatus:
    """The conditions of a part of an object: a listener of a Gateway, a parent of a route."""

    name: str
    """The listener's name, or the parent as ``namespace/name``, with ``[section]`` where the route names one."""
    conditions: tuple[Condition, ...]
    """Its conditions."""
    attached_routes: int | None
    """``attachedRoutes`` of a listener."""

    @property
    def ok(self) -> bool:
        """Whether all conditions say that things are as they should be."""
        return all(condition.ok for condition in self.conditions)


def _conditions(value: dict[str, Any]) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=one.get("type", ""),
            status=one.get("status", "Unknown"),
            reason=one.get("reason", ""),
            message=one.get("message", ""),
            observed_generation=one.get("observedGeneration"),
            last_transition_time=one.get("lastTransitionTime", ""),
        )
        for one in value.get("conditions", ())
    )


@dataclass(frozen=True, slots=True)
class Status:
    """The status that a controller would write to an object."""

    key: ObjectKey
    """The object."""
    json: str
    """The whole ``.status`` as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """The whole ``.status``."""
        value: dict[str, Any] = json.loads(self.json)
        return value

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions of the object itself (GatewayClass, Gateway)."""
        return _conditions(self.to_dict())

    @property
    def listeners(self) -> tuple[PartStatus, ...]:
        """The listeners of a Gateway."""
        return tuple(
            PartStatus(one.get("name", ""), _conditions(one), one.get("attachedRoutes"))
            for one in self.to_dict().get("listeners", ())
        )

    @property
    def parents(self) -> tuple[PartStatus, ...]:
        """The parents of a route."""
        parents: list[PartStatus] = []
        for one in self.to_dict().get("parents", ()):
            reference = one.get("parentRef", {})
            name = f"{reference.get('namespace', self.key.namespace)}/{reference.get('name', '')}"
            if section := reference.get("sectionName"):
                name += f"[{section}]"
            parents.append(PartStatus(name, _conditions(one), None))
        return tuple(parents)

    @property
    def ok(self) -> bool:
        """Whether every condition, those of listeners and parents included, says that things are as they should be."""
        parts = all(one.ok for one in (*self.listeners, *self.parents))
        return parts and all(one.ok for one in self.conditions)
