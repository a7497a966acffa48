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
    UnreachableError,
    UnsupportedError,
    UsageError,
    ValueRangeError,
    VolstreamError,
)

if TYPE_CHECKING:
    from .adapters.files import save
    from .api import attach, load, open
    from .identity import ImageId, VolumeId
    from .images import load_image, load_image_async
    from .local import create_derived_volume, create_local_volume
    from .plan.stages import Stage
    from .registry import (
        register_image_loader,
        register_unknown_image_loader,
        register_unknown_volume_loader,
        register_volume_loader,
    )
    from .store.cache import Cache, cache
    from .store.image import Image
    from .store.volume import Volume
    from .volumes import create_volume, create_volume_async, volume_from_images

__version__ = "0.1.0"

__all__ = [
    "Cache",
    "CancelledError",
    "DamagedError",
    "DecoderCrashedError",
    "GeometryError",
    "HttpStatusError",
    "Image",
    "ImageId",
    "ProtocolError",
    "ResourceError",
    "SegmentError",
    "SourceError",
    "Stage",
    "TruncatedError",
    "UnreachableError",
    "UnsupportedError",
    "UsageError",
    "ValueRangeError",
    "VolstreamError",
    "Volume",
    "VolumeId",
    "__version__",
    "attach",
    "cache",
    "create_derived_volume",
    "create_local_volume",
    "create_volume",
    "create_volume_async",
    "load",
    "load_image",
    "load_image_async",
    "open",
    "register_image_loader",
    "register_unknown_image_loader",
    "register_unknown_volume_loader",
    "register_volume_loader",
    "save",
    "volume_from_images",
]

# Imported when first used: `import volstream` alone stays quick, and pulls in neither numpy nor aiohttp.
_LAZY = {
    name: module
    for module, names in {
        ".api": ("attach", "load", "open"),
        ".identity": ("ImageId", "VolumeId"),
        ".images": ("load_image", "load_image_async"),
        ".volumes": ("create_volume", "create_volume_async", "volume_from_images"),
        ".local": ("create_derived_volume", "create_local_volume"),
        ".plan.stages": ("Stage",),
        ".registry": (
            "register_image_loader",
            "register_unknown_image_loader",
            "register_unknown_volume_loader",
            "register_volume_loader",
        ),
        ".store.cache": ("Cache", "cache"),
        ".store.image": ("Image",),
        ".store.volume": ("Volume",),
        ".adapters.files": ("save",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
