"""What the shared segment says about the volume besides its voxels: plain JSON types only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from volstream.plan.model import Geometry, Slot
from volstream.records import FrameRecord, Rescale


def describe(
    slots: Sequence[Slot], geometry: Geometry, units: str, time_labels: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """The metadata of a plan. Lists under `slices` have one entry a slot, None for a gap."""
    records = [slot.record for slot in slots]
    used = [record for record in records if record is not None]
    first = used[0]
    windows = {record.window for record in used}
    paddings = {record.padding for record in used}
    meanings = [None if slot.record is None else _meaning(slot.record, slot.rescale) for slot in slots]
    # Most series have one for all images; PET, whose slope may differ by slice, has one for each.
    kinds = {meaning: n for n, meaning in enumerate(dict.fromkeys(filter(None, meanings)))}
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
        "images": [dict(meaning) for meaning in kinds],
        "time": {name: list(values) for name, values in time_labels.items()},
        "slices": {
            "uids": [record and record.uid for record in records],
            "frames": [record and record.frame for record in records],
            "addresses": [record and record.address for record in records],
            "positions": [record and record.position and list(record.position) for record in records],
            "images": [None if meaning is None else kinds[meaning] for meaning in meanings],
        },
    }


def _meaning(record: FrameRecord, rescale: Rescale) -> tuple[tuple[str, Any], ...]:
    """What an image's values mean to whoever shows it, or wants its stored values back: (name, value) pairs."""
    pixel = record.pixel
    size = next((size for size in (8, 16, 32) if pixel.bits_allocated <= size), 64)
    kind = "float" if pixel.is_float else "int" if pixel.pixel_representation else "uint"
    return (
        ("window", record.window),
        ("photometric", pixel.photometric),
        ("stored", f"{kind}{size}"),
        ("slope", rescale.slope),
        ("intercept", rescale.intercept),
        ("rescale_type", rescale.type),
        ("has_table", rescale.table is not None),
        ("frames", record.frames),
    )


def _only(values: set[Any]) -> list[Any] | None:
    value = next(iter(values)) if len(values) == 1 else None
    return None if value is None else list(value)
