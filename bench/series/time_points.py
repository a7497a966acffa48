"""A series of several time points: the same slices again and again, TemporalPositionIdentifier telling them apart."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from volstream.samples import write_series


def write_time_points(folder: Path, times: int, options: dict[str, Any]) -> tuple[np.ndarray, float]:
    """The array (t, k, j, i), and how far a decoded value may be from it."""
    import pydicom

    folder.mkdir(parents=True)
    arrays, tolerance, common = [], 0.0, {}
    for time in range(times):
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            truth = write_series(temporary, **options, seed=time)
            arrays.append(truth.array)
            tolerance = max(tolerance, truth.tolerance)
            for path in sorted(truth.files):
                image = pydicom.dcmread(path)
                for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
                    setattr(image, keyword, common.setdefault(keyword, image[keyword].value))
                image.TemporalPositionIdentifier, image.NumberOfTemporalPositions = time + 1, times
                image.AcquisitionTime = f"1030{time:02d}"
                image.InstanceNumber += time * len(truth.files)
                image.save_as(folder / f"IM{image.InstanceNumber:05d}.dcm")
    return np.stack(arrays), tolerance
