"""Load DICOM series into one shared-memory volume, and use it while it is still arriving.

volume = volstream.load("https://pacs/dicom-web/studies/1.2/series/3.4", progress=True)
volume.array, volume.affine
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    CancelledError,
    DamagedError,
    DecoderCrashedError,
    GeometryError,
    HttpStatusError,
    ProtocolError,
    ResourceError,
    SegmentError,
    SourceError,
    TruncatedError,
    UnsupportedError,
    UsageError,
    ValueRangeError,
    VolstreamError,
)

if TYPE_CHECKING:
    from .adapters.files import save
    from .api import attach, load, open
    from .store.volume import Volume

__version__ = "0.1.0"

__all__ = [
    "CancelledError",
    "DamagedError",
    "DecoderCrashedError",
    "GeometryError",
    "HttpStatusError",
    "ProtocolError",
    "ResourceError",
    "SegmentError",
    "SourceError",
    "TruncatedError",
    "UnsupportedError",
    "UsageError",
    "ValueRangeError",
    "VolstreamError",
    "Volume",
    "__version__",
    "attach",
    "load",
    "open",
    "save",
]

# Imported when first used: `import volstream` alone stays quick, and pulls in neither numpy nor aiohttp.
_LAZY = {"attach": ".api", "load": ".api", "open": ".api", "Volume": ".store.volume", "save": ".adapters.files"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
