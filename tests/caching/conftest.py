"""Every test begins and ends with an empty cache, and with the built-in loaders alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import volstream
from badserver import BadServer, running
from dicomseries import plain, write
from volstream.registry import image_loaders, volume_loaders
from volstream.samples.instance import Grid


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for registry in (image_loaders, volume_loaders):
        monkeypatch.setattr(registry, "_loaders", {})
        monkeypatch.setattr(registry, "_unknown", None)
    monkeypatch.setattr(volstream.cache, "_limit", 1 << 30)
    yield
    volstream.cache.purge()
    assert not len(volstream.cache), "something stayed pinned"
    assert volstream.cache.size == 0


class Slices:
    """Five slices of 100 x 100 bytes, slice k of value k + 1, on a server; `requests` counts what it was asked."""

    def __init__(self, server: BadServer, files: list[Path]) -> None:
        self.server = server
        self.files = [f"dicomfile:{file}" for file in files]
        self.rs = [f"wadors:{server.frame_url(uid)}" for uid in server.instances]
        self.uri = [f"wadouri:{server.object_url(uid)}" for uid in server.instances]

    @property
    def requests(self) -> int:
        return len(self.server.requests)


@pytest.fixture
def slices(tmp_path: Path) -> Iterator[Slices]:
    series = plain(grid=Grid(100, 100, (0.9, 0.8), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 2.5), count=5)
    for k, each in enumerate(series.slices):
        image = each.image
        image.BitsAllocated = image.BitsStored = 8
        image.HighBit = 7
        image.RescaleIntercept = "0"
        image.PhotometricInterpretation = "MONOCHROME1"
        each.stored = np.full((100, 100), k + 1, np.uint8)
    files = list(write(series, tmp_path / "slices").files.values())
    with running(BadServer([file.read_bytes() for file in files])) as server:
        yield Slices(server, files)
