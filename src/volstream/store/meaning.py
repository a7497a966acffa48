"""What a segment's metadata (written by `plan.metadata`) mean, for whoever attaches to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SegmentError, UsageError
from ..identity import FrameKey, ImageId, ImageKey
from ..records import IDENTITY, Finding, Rescale, Vector3

if TYPE_CHECKING:
    from ..plan import Geometry


def geometry_of(metadata: dict[str, Any]) -> Geometry:
    """Where the voxels lie, as the process that loads them has it."""
    from ..plan import Geometry

    try:
        return Geometry(
            affine=np.array(metadata["affine"], np.float64).reshape(4, 4),
            findings=tuple(
                Finding(finding["kind"], finding["message"], tuple(finding["uids"]))
                for finding in metadata.get("findings", ())
            ),
            is_placed=bool(metadata.get("is_placed", True)),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise SegmentError(f"the segment's metadata have no usable geometry: {error!r}") from None


@dataclass(frozen=True, slots=True)
class ImageMeaning:
    """What is kept of the header of one slice's image; the defaults are for volumes that do not come from DICOM."""

    uid: str = ""
    #: From 1, and how many there are in the instance.
    frame: int = 1
    frames: int = 1
    position: Vector3 | None = None
    window: tuple[float, float] | None = None
    photometric: str = "MONOCHROME2"
    #: None where a table was applied, which cannot be undone.
    rescale: Rescale | None = IDENTITY
    #: numpy name of the type of stored values; empty if not known.
    stored: str = ""

    @classmethod
    def of(cls, metadata: dict[str, Any], index: int) -> ImageMeaning:
        """SegmentError if the metadata are not what `plan.metadata` writes."""
        slices, images = metadata.get("slices", {}), metadata.get("images")
        if images is None:
            return cls()
        try:
            image = images[slices["images"][index]]
            x, y, z = slices["positions"][index] or (0, 0, 0)
            center, width = image["window"] or (0, 0)
            return cls(
                uid=str(slices["uids"][index]),
                frame=int(slices["frames"][index]) + 1,
                frames=int(image["frames"]),
                position=(float(x), float(y), float(z)) if slices["positions"][index] else None,
                window=(float(center), float(width)) if image["window"] else None,
                photometric=str(image["photometric"]),
                rescale=None
                if image["has_table"]
                else Rescale(float(image["slope"]), float(image["intercept"]), str(image["rescale_type"])),
                stored=np.dtype(str(image["stored"])).name,
            )
        except (LookupError, TypeError, ValueError) as error:
            raise SegmentError(f"the segment's metadata have no usable images: {error!r}", index=index) from None


def keys_of(image_id: str | None, uid: str, frame: int, frames: int) -> set[ImageKey]:
    """Everything that an image may be asked for by. The only frame of its instance needs no number."""
    objects = [uid] if uid else []
    keys: set[ImageKey] = set()
    if image_id is not None:
        try:
            parsed = ImageId.parse(image_id)
            keys.add(parsed.key)
            objects += [parsed.path] if parsed.path else []
        except UsageError:  # an address that is no imageId: an attached volume may come from anybody
            keys.add(image_id)
    return keys | {
        FrameKey(name, number) for name in objects for number in ((frame, None) if frames == 1 else (frame,))
    }


def addresses_of(metadata: dict[str, Any], slices: int) -> list[str | None] | None:
    """The address of each slice's frame, None for a gap; None where the metadata have no such list."""
    if metadata.get("slices", {}).get("addresses") is None:
        return None
    try:
        addresses = [None if address is None else str(address) for address in metadata["slices"]["addresses"]]
    except (LookupError, TypeError) as error:
        raise SegmentError(f"the segment's metadata have no usable addresses: {error!r}") from None
    if len(addresses) != slices:
        raise SegmentError(f"the segment has {slices} slices, its metadata {len(addresses)} addresses")
    return addresses
