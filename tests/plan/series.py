"""Records of synthetic series, as the header readers would make them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from volstream.records import FrameRecord, PixelFormat, Rescale, SeriesInfo

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def make_series(
    count: int = 12,
    *,
    spacing: float = 2.5,
    orientation: tuple[float, ...] = AXIAL,
    origin: tuple[float, float, float] = (-20.0, -30.0, 100.0),
    step: tuple[float, float, float] | None = None,
    first_number: int = 1,
    **fields: Any,
) -> list[FrameRecord]:
    """A plain CT of 24 rows and 32 columns; `step` is the vector between slices, by default along the normal."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    vector = np.array(step) if step is not None else spacing * np.cross(row, column)
    base = FrameRecord(
        uid="",
        frame=0,
        frames=1,
        address="",
        transfer_syntax="1.2.840.10008.1.2.1",
        series=SeriesInfo("1.2", "1.2.3", CT, "CT", "1.2.9"),
        pixel=PixelFormat(24, 32, 16, 12, 11),
        orientation=orientation,  # type: ignore[arg-type]
        spacing=(0.75, 0.5),
        slice_thickness=spacing,
        rescale=Rescale(1.0, -1024.0, "HU"),
    )
    base = replace(base, **fields)
    records = []
    for n in range(count):
        number = first_number + n
        position = tuple(float(value) for value in np.array(origin) + n * vector)
        records.append(
            replace(
                base,
                uid=f"1.2.3.{number}",
                address=f"dicomfile:/data/{number}.dcm",
                instance_number=number,
                position=position,  # type: ignore[arg-type]
            )
        )
    return records
