"""What a source is, and which one serves what the caller named."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from volstream.errors import SourceError, UsageError, VolstreamError
from volstream.fetch.link import Link
from volstream.fetch.options import FetchOptions as FetchOptions
from volstream.records import FrameRecord, Payload


@dataclass(frozen=True, slots=True)
class Partial:
    """The beginning of a frame's codestream."""

    data: memoryview
    transfer_syntax: str
    #: Bytes of the whole codestream; a few off if the server frames it unusually.
    total: int
    #: What the source needs for bringing the rest; nobody else's business.
    resume: Any


@dataclass(frozen=True, slots=True)
class Want:
    """A frame to be had, as slice `index` of the volume."""

    index: int
    record: FrameRecord
    #: So many bytes of the codestream will do, from its beginning; None: all of it. All of it may come nevertheless.
    size: int | None = None
    #: What is here already, so that only the rest need be asked for.
    held: Partial | None = None
    #: Decode at 1 / 2^reduce of the size: what the first `size` bytes are for.
    reduce: int = 0
    #: Wants of earlier steps come first.
    step: int = 0


#: A frame's bytes, their beginning if no more was wanted, or why they could not be had.
Fetched: TypeAlias = Payload | Partial | VolstreamError
#: Takes what was fetched; waits while too much is in flight.
Put: TypeAlias = Callable[[Want, Fetched], Awaitable[None]]


class Source(Protocol):
    """Frames somewhere: in files, in memory, on a server."""

    #: For messages: a path, or a URL without user information and query.
    address: str
    #: What was found and is no image: (name, reason).
    skipped: list[tuple[str, str]]

    @property
    def identity(self) -> tuple[str, ...] | None:
        """What names the images for ever, without credentials: a cache keeps volumes by it. None: nothing does."""

    #: The state that the images are in, as JSON; known once `is_unchanged` and `records` have been called.
    stamp: Any

    async def is_unchanged(self, stamp: Any) -> bool:
        """Are the images in the state of an earlier stamp still? For None, no; what is to be cached asks in any case.

        Raises UnreachableError, or HttpStatusError, if the server does not tell.
        """

    async def records(self) -> list[FrameRecord]:
        """The headers of everything in the source. Raises SourceError if there is nothing."""

    #: Requests to send at once.
    connections: int
    #: Who answers them: limits and fairness are a host's.
    host: str

    @property
    def at_once(self) -> bool:
        """Fetch everything with one request: `fetch` gets all wants of the volume together."""

    @property
    def link(self) -> Link | None:
        """What was seen of the way to the host; None where nothing is fetched."""

    def batch_size(self, record: FrameRecord) -> int:
        """How many frames of the record's instance to ask for with one request."""

    async def fetch(self, wants: Sequence[Want], put: Put) -> Sequence[Want]:
        """Put each frame, or its error, as it comes; returns those that are to be asked for again, in another manner.

        Frames whose record has a location are not asked for. Cancelling aborts what is under way.
        """

    async def close(self) -> None: ...


def open_source(spec: Any, options: FetchOptions | None = None) -> Source:
    """The source that `spec` names; `SCHEMES` has what is understood. No I/O but `stat`."""
    options = options or FetchOptions()
    if isinstance(spec, str):
        scheme = _scheme(spec)
        return SCHEMES[scheme]([spec], options) if scheme else _paths(_expand(spec), spec)
    if isinstance(spec, os.PathLike):
        return _paths([os.fspath(spec)], os.fspath(spec))
    if _in_memory(spec):
        return _memory([spec])
    try:
        items = list(spec)
    except TypeError:
        raise UsageError(f"cannot read images from a {type(spec).__name__}") from None
    if not items:
        raise SourceError("the list of images is empty")
    if all(_in_memory(item) for item in items):
        return _memory(items)
    if not all(isinstance(item, (str, os.PathLike)) for item in items):
        raise UsageError("a source is a list of paths, of imageIds or of datasets, not a mixture")
    names = [os.fspath(item) for item in items]
    schemes = {_scheme(name) for name in names}
    if len(schemes) > 1:
        raise UsageError(f"one source cannot mix {', '.join(sorted(scheme or 'path' for scheme in schemes))}")
    scheme = schemes.pop()
    return SCHEMES[scheme](names, options) if scheme else _paths(names, f"{len(names)} paths")


def _scheme(name: str) -> str:
    # One letter is a Windows drive.
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", name)
    if not match:
        return ""
    scheme = match[1].lower()
    if scheme not in SCHEMES:
        if Path(name).exists():
            return ""
        raise UsageError(f"unknown scheme {scheme!r}; known: {', '.join(SCHEMES)}")
    return scheme


def _expand(name: str) -> list[str]:
    if Path(name).exists() or not glob.has_magic(name):
        return [name]
    found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not found:
        raise SourceError("no file matches", address=name)
    return found


def _in_memory(item: Any) -> bool:
    # A pydicom Dataset is told by its class's name, so that pydicom need not be imported.
    return isinstance(item, (bytes, bytearray, memoryview)) or any(
        kind.__name__ == "Dataset" and kind.__module__ == "pydicom.dataset" for kind in type(item).__mro__
    )


def _paths(paths: list[str], address: str) -> Source:
    from volstream.fetch.local import LocalSource

    return LocalSource(paths, address)


def _memory(items: list[Any]) -> Source:
    from volstream.fetch.memory import MemorySource

    return MemorySource(items)


def _file_ids(names: list[str], options: FetchOptions) -> Source:
    from volstream.fetch.local import LocalSource

    return LocalSource.from_image_ids(names)


def _web_series(names: list[str], options: FetchOptions) -> Source:
    from volstream.fetch.wado import WadoSource

    return WadoSource.from_series(names, options)


def _web_frames(names: list[str], options: FetchOptions) -> Source:
    from volstream.fetch.wado import WadoSource

    return WadoSource.from_image_ids(names, options)


def _web_objects(names: list[str], options: FetchOptions) -> Source:
    from volstream.fetch.wado_uri import WadoUriSource

    return WadoUriSource(names, options)


#: To add a source: one file, one row here.
SCHEMES: dict[str, Callable[[list[str], FetchOptions], Source]] = {
    "http": _web_series,
    "https": _web_series,
    "wadors": _web_frames,
    "wadouri": _web_objects,
    "dicomfile": _file_ids,
}
