"""What a segment's metadata (written by `plan.metadata`) mean, for whoever attaches to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SegmentError
from ..records import Finding

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


def addresses_of(metadata: dict[str, Any], slices: int) -> list[str | None] | None:
    """The address of each slice's frame, None for a gap; None where the metadata have no such list."""
    if "slices" not in metadata:
        return None
    try:
        addresses = [None if address is None else str(address) for address in metadata["slices"]["addresses"]]
    except (LookupError, TypeError) as error:
        raise SegmentError(f"the segment's metadata have no usable addresses: {error!r}") from None
    if len(addresses) != slices:
        raise SegmentError(f"the segment has {slices} slices, its metadata {len(addresses)} addresses")
    return addresses
