"""Real series, from the folder that VOLSTREAM_TEST_DATA names: the largest stacks of single-frame files in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .catalogue import Catalogue, Series

#: How many series, and of how many files at least.
SERIES, FILES = 2, 60


def real_series(catalogue: Catalogue) -> list[Series]:
    """Empty where the variable is not set. What their volumes have to be, pydicom and numpy say."""
    folder = os.environ.get("VOLSTREAM_TEST_DATA")
    if not folder:
        return []
    found = sorted(_folders(Path(folder)), key=lambda pair: -pair[1])
    series = []
    for path, _ in found:
        if len(series) < SERIES and (one := _known(path, catalogue.folder / "real" / path.name)):
            series.append(one)
    return series


def _folders(root: Path) -> Iterator[tuple[Path, int]]:
    """Folders with many files and nothing else, and their size."""
    for folder, folders, files in os.walk(root):
        if not folders and len(files) >= FILES:
            yield Path(folder), sum((Path(folder) / name).stat().st_size for name in files)


def _known(folder: Path, kept: Path) -> Series | None:
    facts = kept / "facts.json"
    if not facts.exists():
        kept.mkdir(parents=True, exist_ok=True)
        known: dict[str, Any] | None = _stack(folder, kept / "truth.npy")
        facts.write_text(json.dumps(known))
    known = json.loads(facts.read_text())
    if known is None:
        return None
    return Series(
        folder.name,
        folder,
        kept / "truth.npy",
        known["transfer_syntax"],
        0.0,
        tuple(known["shape"]),
        known["voxel"],
        known["encoded"],
    )


def _stack(folder: Path, truth: Path) -> dict[str, Any] | None:
    """None for what is not one stack of 3D or 4D: several series, sizes, orientations, or no image at all."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    from ..loaders.child import Clock
    from ..loaders.pydicom_numpy import stack

    try:
        images = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
        alike = {(image.SeriesInstanceUID, image.Rows, image.Columns) for image in images}
        planes = {tuple(np.round(np.array(image.ImageOrientationPatient, float), 3)) for image in images}
        values = {(image.get("RescaleSlope"), image.get("RescaleIntercept")) for image in images}
        if len(alike) != 1 or len(planes) != 1 or len(values) != 1:
            return None
        array = stack(images, Clock())
    except (InvalidDicomError, AttributeError):
        return None
    if array.ndim == 3 and len(array) != len(images):
        return None
    np.save(truth, array)
    return {
        "transfer_syntax": str(images[0].file_meta.TransferSyntaxUID),
        "shape": array.shape,
        "voxel": array.dtype.itemsize,
        "encoded": sum(path.stat().st_size for path in folder.iterdir()),
    }
