"""What the figures share: the line each adds to the report, the series they measure."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import volstream
from volstream.samples import Truth, write_series


class Figure(NamedTuple):
    """One line of the report: what was measured, the ratio or value reached, and the bar it is held against."""

    name: str
    value: float
    bar: str
    reached: bool
    details: dict[str, Any]


class Series:
    """Generated CTs on disk, each written once a run."""

    def __init__(self, folder: Path, slices: int, rows: int) -> None:
        self._folder, self.slices, self._rows = folder, slices, rows
        self._written: dict[tuple[Any, ...], Truth] = {}

    def __call__(self, transfer_syntax: str, *, slices: int | None = None, noise: float | None = None) -> Truth:
        """Of this run's size and the generator's noise, if nothing else is said."""
        key = (transfer_syntax, slices or self.slices, noise)
        if key not in self._written:
            self._written[key] = write_series(
                self._folder / str(len(self._written)),
                kind="ct",
                slices=slices or self.slices,
                rows=self._rows,
                columns=self._rows,
                transfer_syntax=transfer_syntax,
                noise=noise,
            )
        return self._written[key]


def checksum(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16]


def check(source: Any, expected: np.ndarray) -> None:
    """A wrong answer must not be measured."""
    with volstream.load(source) as volume:
        if checksum(volume.array) != checksum(expected):
            raise AssertionError(f"wrong voxels from {source}")
