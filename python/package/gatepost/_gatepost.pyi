"""What ``gatepost`` is made of; import from there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import Any, Literal, SupportsIndex, TypeAlias, final

from gatepost.model import Explanation, Listener, Match, ObjectKey, Problem, RouteEntry, Status

__all__ = ["Controller", "Resolution", "Resources", "Table", "__version__", "check", "main", "resolution", "resources", "table"]

_Path: TypeAlias = str | PathLike[str]
_Text: TypeAlias = str | bytes
_Headers: TypeAlias = Mapping[str, _Text | Iterable[_Text]] | Iterable[tuple[str, _Text | Iterable[_Text]]]
_Channel: TypeAlias = Literal["standard", "experimental"]

__version__: str
"""The version of gatepost."""

@final
class Resources:
    """Objects that were read, by ``Kind/namespace/name``, with everything that is wrong with the texts.

    It is a mapping whose values are plain dicts, made anew at each look-up. Two are equal if they hold equal objects of
    one channel, wherever those were read. A pickle holds the texts, Secrets included.
    """

    @staticmethod
    def from_yaml(text: _Text, source: str = "<text>", *, channel: _Channel = "experimental", strict: bool = True) -> Resources:
        """Reads a YAML stream, or JSON, or either with objects in a ``List``.

        ``source`` is what problems call the text. ``channel`` is the channel of the CRDs that objects are judged by.
        Objects of kinds that are not the Gateway API's or needed with it are passed over, with a note.

        Raises ``ManifestError`` if the text cannot be read or an object is refused. With ``strict=False`` it never does:
        what is sound is there, and ``problems`` tells the rest. Without the GIL; Ctrl-C ends it.
        """
    @staticmethod
    def from_json(value: _Text | Mapping[str, Any] | Sequence[Any], source: str = "<json>", *, channel: _Channel = "experimental", strict: bool = True) -> Resources:
        """Reads JSON, as text or as plain dicts and lists: an object, a ``List``, or a list of objects. As ``from_yaml`` besides."""
    @staticmethod
    def from_files(paths: _Path | Iterable[_Path], *, channel: _Channel = "experimental", strict: bool = True) -> Resources:
        """Reads files, and folders with what is below them (``.yaml``, ``.yml``, ``.json``). As ``from_yaml`` besides."""
    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong, in the order of texts and places: unknown fields are warnings, kinds passed over notes."""
    @property
    def channel(self) -> _Channel:
        """The channel of the CRDs that objects were judged by."""
    def keys(self) -> tuple[ObjectKey, ...]:
        """The keys of all objects, in order."""
    def __iter__(self) -> Iterator[str]:
        """The keys as text."""
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __getitem__(self, key: str | ObjectKey, /) -> dict[str, Any]:
        """An object as it was read."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Controller:
    """Settings of resolution."""

    def __new__(cls, *, controller_name: str = "gatepost.dev/gateway-controller", path_policy: str | None = None, kubernetes: bool = False) -> Controller:
        """``controller_name``: the controller whose GatewayClasses are ours.

        ``path_policy``: how request paths are brought into canonical form, such as ``encodedSlash=keep,mergeSlashes=false``.
        ``kubernetes``: classes have to be defined, and every Gateway has an address of its own; without it a class
        ``gatepost`` is there, and Gateways without addresses share one.

        Raises ``InvalidSetting`` if the policy is not understood.
        """
    @property
    def controller_name(self) -> str:
        """The controller whose GatewayClasses are ours."""
    @property
    def path_policy(self) -> str | None:
        """The path policy as given."""
    @property
    def kubernetes(self) -> bool:
        """Whether this is Kubernetes."""
    def resolve(self, resources: Resources, *, now: datetime | None = None) -> Resolution:
        """Works out which routes attach to which listeners, what does not resolve, and the tables.

        It never fails: what is wrong becomes conditions of ``statuses``, whose times are ``now`` (default: the present).
        Without the GIL; Ctrl-C ends it.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...

@final
class Resolution:
    """What resources came to. Two are equal if their controllers and resources are. A pickle holds both and resolves again."""

    @property
    def tables(self) -> dict[str, Table]:
        """The table of each Gateway that is ours, by ``namespace/name``."""
    def table(self, gateway: str) -> Table:
        """The table of a Gateway, ``namespace/name``. Raises ``UnknownGateway`` if there is none."""
    @property
    def statuses(self) -> dict[str, Status]:
        """The status of each object that has one of ours, by ``Kind/namespace/name``, in a world where ports are free."""
    @property
    def resources(self) -> Resources:
        """What was resolved."""
    @property
    def controller(self) -> Controller:
        """The settings it was resolved with."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Table:
    """The compiled routes of a Gateway, or of several that share an address: immutable, safe to share between threads.

    A pickle holds the resources and the controller's settings, and compiles again.
    """

    def find(self, method: str, url: str, headers: _Headers | None = None, *, sni: str | None = None) -> Match | None:
        """The rule that serves a request; ``None`` if none does (404).

        ``url`` is absolute; its port says by which listener the request comes in. ``headers`` are a mapping of names to
        a value or several, or pairs; a ``Host`` among them stands for the URL's. ``sni`` is the server name of the TLS
        connection, the URL's host unless given.

        Raises ``InvalidRequest`` for what is no request, ``BadRequest`` where a gateway answers 400,
        ``MisdirectedRequest`` where it answers 421 and ``ConnectNotServed`` for ``CONNECT`` (501).
        """
    def explain(self, method: str, url: str, headers: _Headers | None = None, *, sni: str | None = None) -> Explanation:
        """Which rule serves a request, and why no other does; the text of ``gatepost explain``.

        The arguments are those of ``find``. What a gateway refuses is explained, too; only ``InvalidRequest`` is raised.
        """
    def routes(self) -> tuple[RouteEntry, ...]:
        """All matches of HTTPRoutes and the other kinds, by listener, in the order in which they are tried."""
    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners, by port, then the most specific hostname first."""
    @property
    def gateways(self) -> tuple[str, ...]:
        """The Gateways that it serves, as ``namespace/name``."""
    @property
    def resources(self) -> Resources:
        """What it was made of."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def check(paths: _Path | Iterable[_Path], *, controller: Controller | None = None, channel: _Channel = "experimental") -> tuple[Problem, ...]:
    """Everything that is wrong with the manifests in files and folders: the lines of ``gatepost check``.

    Besides what ``Resources.problems`` tells, that is every condition which says that something is not as it should be.
    Unknown fields are errors here, because most of them are typing mistakes.
    """

def main(arguments: Sequence[str]) -> int:
    """Runs the command line without the GIL and says the exit code; signals are the caller's affair."""

def resources(channel: str, texts: Sequence[tuple[str, bytes | None, str | None]]) -> Resources:
    """Restores pickled resources."""

def resolution(controller: Controller, resources: Resources, now: int) -> Resolution:
    """Restores a pickled resolution."""

def table(resolution: Resolution, plane: int) -> Table:
    """Restores a pickled table."""
