"""Generated series on disk, each written at its first use and kept; and what their volumes have to be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from volstream import syntaxes as ts
from volstream.samples import available_syntaxes, write_series

from .time_points import write_time_points

#: The words by which the suite calls the transfer syntaxes it measures.
SYNTAXES = {
    "uncompressed": ts.EXPLICIT,
    "rle": ts.RLE,
    "jpeg-lossless": ts.JPEG_LOSSLESS_SV1,
    "jpeg-ls": ts.JPEG_LS,
    "jpeg2000": ts.JPEG_2000_LOSSLESS,
    "htj2k": ts.HTJ2K_RPCL,
}


class NoEncoderError(ValueError):
    """Such series cannot be written here."""


class Size(NamedTuple):
    """How large the series of a run are: slices and rows of the usual one; the others follow."""

    slices: int = 120
    rows: int = 512
    small: int = 3000
    large: int = 3000


class Series(NamedTuple):
    """A folder of files, and the .npy of the volume they are."""

    name: str
    folder: Path
    truth: Path
    transfer_syntax: str
    tolerance: float
    shape: tuple[int, ...]
    voxel_bytes: int
    encoded_bytes: int

    @property
    def volume_bytes(self) -> int:
        return int(np.prod(self.shape)) * self.voxel_bytes


#: Kind -> what `write_series` is told for a size.
KINDS: dict[str, Callable[[Size], dict[str, Any]]] = {
    "ct": lambda size: {"kind": "ct", "slices": size.slices, "rows": size.rows},
    "ct-b": lambda size: {"kind": "ct", "slices": size.slices, "rows": size.rows, "seed": 1},
    "ct-link": lambda size: {"kind": "ct", "slices": max(2, size.slices // 3), "rows": size.rows},
    "pet": lambda size: {"kind": "pet", "slices": size.slices, "rows": min(200, size.rows)},
    "4d": lambda size: {"kind": "ct", "slices": max(2, size.slices // 5), "rows": size.rows // 2, "times": 10},
    "enhanced": lambda size: {"kind": "ct", "slices": size.slices, "rows": size.rows, "enhanced": True},
    "small": lambda size: {"kind": "ct", "slices": size.small, "rows": min(128, size.rows)},
    "large": lambda size: {"kind": "ct", "slices": 1, "rows": size.large},
}


class Catalogue:
    def __init__(self, folder: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self.folder, self._say = folder, say

    def get(self, kind: str, syntax: str, size: Size) -> Series:
        """Raises NoEncoderError where nothing that is installed writes the syntax."""
        if SYNTAXES[syntax] not in available_syntaxes():
            raise NoEncoderError(f"nothing that is installed writes {syntax}")
        options = KINDS[kind](size)
        name = "-".join(f"{key}{value}" for key, value in sorted(options.items()))
        return self._kept(f"{kind}/{syntax}", self.folder / name / syntax, options, syntax)

    def _kept(self, name: str, folder: Path, options: dict[str, Any], syntax: str) -> Series:
        facts = folder / "facts.json"
        if not facts.exists():  # written last: what is incomplete is written again
            shutil.rmtree(folder, ignore_errors=True)
            self._say(f"writing {name}")
            shape, tolerance, dtype = _write(folder, options, SYNTAXES[syntax])
            size = sum(path.stat().st_size for path in (folder / "files").iterdir())
            facts.write_text(
                json.dumps({"shape": shape, "tolerance": tolerance, "voxel": dtype.itemsize, "encoded": size})
            )
        known = json.loads(facts.read_text())
        return Series(
            name,
            folder / "files",
            folder / "truth.npy",
            SYNTAXES[syntax],
            known["tolerance"],
            tuple(known["shape"]),
            known["voxel"],
            known["encoded"],
        )


def _write(folder: Path, options: dict[str, Any], transfer_syntax: str) -> tuple[list[int], float, np.dtype]:
    options = {"transfer_syntax": transfer_syntax, "columns": options["rows"], **options}
    if times := options.pop("times", None):
        array, tolerance = write_time_points(folder / "files", times, options)
    else:
        truth = write_series(folder / "files", **options)
        array, tolerance = truth.array, truth.tolerance
    np.save(folder / "truth.npy", array)
    return list(array.shape), tolerance, array.dtype
