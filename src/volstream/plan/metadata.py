"""What the shared segment says about the volume besides its voxels: plain JSON types only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from volstream.plan.model import Geometry, Slot


def describe(
    slots: Sequence[Slot], geometry: Geometry, units: str, time_labels: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """The metadata of a plan. Lists under `slices` have one entry a slot, None for a gap."""
    records = [slot.record for slot in slots]
    used = [record for record in records if record is not None]
    first = used[0]
    windows = {record.window for record in used}
    paddings = {record.padding for record in used}
    return {
        "study_uid": first.series.study_uid,
        "series_uid": first.series.series_uid,
        "frame_of_reference_uid": first.series.frame_of_reference_uid,
        "modality": first.series.modality,
        "description": first.series.description,
        "manufacturer": first.series.manufacturer,
        "patient_position": first.series.patient_position,
        "photometric": first.pixel.photometric,
        "units": units,
        "affine": geometry.affine.tolist(),
        "is_placed": geometry.is_placed,
        "tilt_degrees": geometry.tilt_degrees,
        "findings": [{"kind": f.kind, "message": f.message, "uids": list(f.uids)} for f in geometry.findings],
        # Only what all images agree on: one window or padding would be wrong for the others.
        "window": _only(windows),
        "padding": _only(paddings),
        "time": {name: list(values) for name, values in time_labels.items()},
        "slices": {
            "uids": [record and record.uid for record in records],
            "frames": [record and record.frame for record in records],
            "addresses": [record and record.address for record in records],
            "positions": [record and record.position and list(record.position) for record in records],
        },
    }


def _only(values: set[Any]) -> list[Any] | None:
    value = next(iter(values)) if len(values) == 1 else None
    return None if value is None else list(value)
