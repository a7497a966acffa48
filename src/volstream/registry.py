"""Which loader serves which scheme of imageIds and volumeIds.

An image loader is a function `(image_id, **options) -> Image`: an image of its own, whose `image_id` is the one asked
for or another spelling of it. A volume loader is a function `(volume_id, image_ids, **options) -> Volume`. Options are
those that the caller of `load_image` or `create_volume` gave. Both may block; several threads may call them at once.
A volume loader that allocates much asks `volstream.cache.admit(size, volume_id)` first.

Packages offer loaders as entry points, named as the scheme:

    [project.entry-points."volstream.image_loaders"]
    mine = "my_package:load_image"
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .errors import UsageError

if TYPE_CHECKING:
    from .store.image import Image
    from .store.volume import Volume


class ImageLoader(Protocol):
    def __call__(self, image_id: str, /, **options: Any) -> Image: ...


class VolumeLoader(Protocol):
    def __call__(self, volume_id: str, image_ids: Sequence[str], /, **options: Any) -> Volume: ...


L = TypeVar("L")


class Registry(Generic[L]):
    """Loaders by scheme: registered ones, built-in ones, those of installed packages, and one for all others."""

    def __init__(self, what: str, group: str, built_in: dict[str, str], unknown: str | None = None) -> None:
        self._what = what
        self._group = group
        self._built_in = {scheme: EntryPoint(scheme, where, group) for scheme, where in built_in.items()}
        self._loaders: dict[str, L] = {}
        self._unknown: L | None = None
        self._fallback = unknown
        self._lock = threading.Lock()

    def register(self, scheme: str, loader: L | None) -> L | None:
        """Let `loader` serve a scheme (None: whoever did without it); returns the one that was registered before."""
        with self._lock:
            previous = self._loaders.pop(scheme, None)
            if loader is not None:
                self._loaders[scheme] = loader
            return previous

    def register_unknown(self, loader: L | None) -> L | None:
        """Let `loader` serve every scheme that nothing else serves; returns the one before."""
        with self._lock:
            self._unknown, previous = loader, self._unknown
            return previous

    def find(self, scheme: str) -> L:
        """The loader of a scheme. UsageError if there is none."""
        loader = self._loaders.get(scheme)
        if loader is None:
            entry = self._built_in.get(scheme) or next(iter(entry_points(group=self._group, name=scheme)), None)
            if entry is not None:
                loader = self._load(entry)
            elif self._unknown is not None:
                return self._unknown
            elif self._fallback is not None:
                return self.find(self._fallback)
            else:
                known = ", ".join(sorted({*self._built_in, *self._loaders}))
                raise UsageError(f"no {self._what} loader serves the scheme {scheme!r}; known: {known}")
        return loader

    def is_built_in(self, scheme: str) -> bool:
        """Whether nobody has registered another loader for a scheme that we serve."""
        return scheme in self._built_in and scheme not in self._loaders

    def _load(self, entry: EntryPoint) -> L:
        try:
            loader: L = entry.load()
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"the {self._what} loader {entry.value} of scheme {entry.name!r} cannot be imported: {error}"
            ) from error
        return loader


_STREAM = "volstream.volumes:stream_volume"
_DICOM = "volstream.images:load_dicom_image"

image_loaders: Registry[ImageLoader] = Registry(
    "image", "volstream.image_loaders", dict.fromkeys(("wadors", "wadouri", "dicomfile"), _DICOM)
)
volume_loaders: Registry[VolumeLoader] = Registry(
    "volume",
    "volstream.volume_loaders",
    # Time points are found in the headers, so one loader serves both.
    dict.fromkeys(
        ("volume", "dynamic", "cornerstoneStreamingImageVolume", "cornerstoneStreamingDynamicImageVolume"), _STREAM
    ),
    unknown="volume",
)

register_image_loader = image_loaders.register
register_unknown_image_loader = image_loaders.register_unknown
register_volume_loader = volume_loaders.register
register_unknown_volume_loader = volume_loaders.register_unknown
