"""imageIds and volumeIds, parsed once into typed keys.

An imageId is `scheme:address`. Of the schemes that are known here it is understood which frame of which instance it
names, so that one image is recognised however it is reached:

    wadors:https://host/.../studies/{study}/series/{series}/instances/{instance}/frames/{number}
    wadouri:https://host/wado?requestType=WADO&studyUID=..&seriesUID=..&objectUID={instance}[&frame={number}]
    dicomfile:{path}[?frame={number}]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

from .errors import UsageError

#: Begins the addresses of objects in memory: numbers in a list, which name nothing outside it.
IN_MEMORY = "dicomfile:memory:"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.+)", re.DOTALL)  # one letter is a Windows drive
_WADO_RS = re.compile(
    r"(?:.*/studies/(?P<study>[0-9.]+)|.*)/series/(?P<series>[0-9.]+)/instances/(?P<instance>[0-9.]+)"
    r"/frames/(?P<frame>[1-9][0-9]*)"
)
_UID = re.compile(r"[0-9.]{1,64}")


class FrameKey(NamedTuple):
    """A frame, however it is reached."""

    #: SOP Instance UID, which is unique in the world (PS3.5 chapter 9), or the absolute path of a file.
    object: str
    #: From 1; None: the only one.
    frame: int | None


#: What an image is looked up by: the same for every spelling of its id.
ImageKey: TypeAlias = FrameKey | str


@dataclass(frozen=True, slots=True)
class ImageId:
    """An imageId and what it tells; texts are empty, and `frame` (from 1) is None, where it does not."""

    #: As it was given; it may hold a token, and is not shown.
    text: str = field(repr=False)
    scheme: str
    study: str = ""
    series: str = ""
    instance: str = ""
    frame: int | None = None
    #: Absolute, of a file.
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageId:
        """Raises UsageError if it is no imageId, or not one of its scheme."""
        scheme, rest = _split(text, "imageId")
        known = _KNOWN.get(scheme.lower())
        return known(text, rest) if known else cls(text, scheme)

    @property
    def instance_key(self) -> FrameKey | None:
        """The part that does not depend on the transport; None where the id does not tell the instance."""
        return FrameKey(self.instance, self.frame) if self.instance else None

    @property
    def key(self) -> ImageKey:
        """What to look the image up by."""
        named = self.instance or self.path
        return FrameKey(named, self.frame) if named else self.text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class VolumeId:
    """A volumeId, `scheme:name`; the scheme says which volume loader makes it."""

    text: str
    scheme: str
    name: str

    @classmethod
    def parse(cls, text: str) -> VolumeId:
        """Raises UsageError if it is no volumeId."""
        return cls(text, *_split(text, "volumeId"))

    def __str__(self) -> str:
        return self.text


def _split(text: str, what: str) -> tuple[str, str]:
    match = _SCHEME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        shown = repr(shown_of(text)) if isinstance(text, str) else f"a {type(text).__name__}"
        raise UsageError(f"{shown} is no {what}: that is a scheme, a colon, and a name")
    return match[1], match[2]


def shown_of(image_id: str) -> str:
    """What of an imageId may be shown: no user, no query but a frame number."""
    head, _, query = image_id.partition("?")
    frame = re.search(r"(?:^|&)frame=\d+", query)
    return re.sub(r"//[^/@]*@", "//", head) + (f"?{frame[0].strip('&')}" if frame else "")


def _wado_rs(text: str, rest: str) -> ImageId:
    match = _WADO_RS.fullmatch(urlsplit(rest).path)
    if match is None:
        raise UsageError("not the imageId of a frame (wadors:.../instances/UID/frames/N)", address=shown_of(text))
    return ImageId(text, "wadors", match["study"] or "", match["series"], match["instance"], int(match["frame"]))


def _wado_uri(text: str, rest: str) -> ImageId:
    query = {name: values[0] for name, values in parse_qs(urlsplit(rest).query).items()}
    instance, frame = query.get("objectUID", ""), query.get("frame")
    if not _UID.fullmatch(instance):
        raise UsageError("not the imageId of an object (wadouri:...&objectUID=UID)", address=shown_of(text))
    return ImageId(
        text, "wadouri", query.get("studyUID", ""), query.get("seriesUID", ""), instance, _number(frame, text)
    )


def _file(text: str, rest: str) -> ImageId:
    path, marker, frame = rest.rpartition("?frame=")
    path = str(Path(path if marker else rest).absolute())  # without I/O: behind ".." a link may hide
    return ImageId(text, "dicomfile", path=path, frame=_number(frame if marker else None, text))


def _number(frame: str | None, text: str) -> int | None:
    if frame is not None and not (frame.isdecimal() and int(frame) > 0):
        raise UsageError("frames are counted from 1", address=shown_of(text))
    return None if frame is None else int(frame)


_KNOWN: dict[str, Callable[[str, str], ImageId]] = {"wadors": _wado_rs, "wadouri": _wado_uri, "dicomfile": _file}
