"""A plan as the JSON metadata of a segment, and back: what an attached process must know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SegmentError
from ..records import Finding

if TYPE_CHECKING:
    from ..plan import Geometry, VolumePlan


def describe(plan: VolumePlan) -> dict[str, Any]:
    """Units, geometry, and the uid and address of each slice's frame; what else the plan says stands beside them."""
    return plan.metadata | {
        "units": plan.units,
        "affine": plan.geometry.affine.tolist(),
        "is_placed": plan.geometry.is_placed,
        "findings": [[finding.kind, finding.message, list(finding.uids)] for finding in plan.geometry.findings],
        "images": [
            None if slot.record is None else {"uid": slot.record.uid, "id": slot.record.address} for slot in plan.slots
        ],
    }


def geometry(metadata: dict[str, Any]) -> Geometry:
    """The geometry in a segment's metadata."""
    from ..plan import Geometry

    try:
        return Geometry(
            affine=np.array(metadata["affine"], np.float64).reshape(4, 4),
            findings=tuple(Finding(kind, message, tuple(uids)) for kind, message, uids in metadata.get("findings", ())),
            is_placed=bool(metadata.get("is_placed", True)),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise SegmentError(f"the segment's metadata have no usable geometry: {error}") from None


def image_id(metadata: dict[str, Any], index: int) -> str | None:
    """The address of slice `index`'s frame; None for a gap."""
    images = metadata.get("images")
    image = images[index] if images else None
    return None if image is None else str(image["id"])
