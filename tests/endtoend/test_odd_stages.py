"""Stages on volumes for which they are not made: tiny ones, gaps, single-slice time points, mixed qualities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate

import faults as bad
import volstream
from badserver import BadServer, running
from dicomseries import Case, plain, write
from volstream import UsageError
from volstream import syntaxes as ts
from volstream.plan.stages import NAMED, Stage
from volstream.samples import available_syntaxes, write_series

QUICK: dict[str, Any] = {"attempts": 2, "connect_timeout": 2.0, "stall_timeout": 0.5, "deadline": 10.0}
EVERY_WAY = [*NAMED, "auto"]


def serving(made: Case) -> BadServer:
    return BadServer([path.read_bytes() for path in made.files.values()])


@pytest.fixture
def htj2k() -> str:
    if ts.HTJ2K_RPCL not in available_syntaxes():
        pytest.skip("no encoder for HTJ2K is installed")
    return ts.HTJ2K_RPCL


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("stages", EVERY_WAY)
def test_one_slice_and_two(slices: int, stages: str, htj2k: str, tmp_path: Path) -> None:
    series = plain(count=slices)
    series.transfer_syntax = htj2k
    made = write(series, tmp_path)
    with running(serving(made)) as server:
        for source in (server.series_url, tmp_path):
            with volstream.open(source, stages=stages, order=[], **QUICK) as volume:
                volume.prioritize([])
                volume.wait(timeout=20)
                np.testing.assert_array_equal(volume.array, made.array)


@pytest.mark.parametrize(
    ("stages", "ends"),
    [
        ((), [8, 8, 8, 8, 8]),
        ((Stage(positions=(99, -99)),), [8, 8, 8, 8, 8]),
        ((Stage(positions=(0.0, 1.0), reduce=2),), [6, 8, 8, 8, 6]),
        ((Stage(every=2, reduce=2), Stage(every=2, offset=1)), [6, 8, 6, 8, 6]),
        ((Stage(every=2), Stage(every=2, offset=1, reduce=1)), [8, 6, 8, 6, 8]),
        ((Stage(reduce=8), Stage()), [8, 8, 8, 8, 8]),
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_slices_may_end_at_different_qualities(
    stages: tuple[Stage, ...], ends: list[int], local: bool, htj2k: str, tmp_path: Path
) -> None:
    truth = write_series(tmp_path, slices=5, rows=96, columns=80, transfer_syntax=htj2k)
    server = BadServer([path.read_bytes() for path in truth.files])
    with running(server), volstream.load(tmp_path if local else server.series_url, stages=stages, **QUICK) as volume:
        assert volume.states.tolist() == ends
        assert volume.complete
        assert volume.segment.activity == "complete"
        assert volume.quality == min(ends)
        full = volume.states == 8
        np.testing.assert_array_equal(volume.array[full], truth.array[full])


@pytest.mark.parametrize("stages", EVERY_WAY)
def test_gaps_stay_gaps(stages: str, htj2k: str, tmp_path: Path) -> None:
    series = plain()
    series.transfer_syntax = htj2k
    series.absent = series.slices[5:7]
    made = write(series, tmp_path)
    there = np.delete(np.arange(12), [5, 6])
    with running(serving(made)) as server:
        for source in (server.series_url, tmp_path):
            with volstream.load(source, stages=stages, gaps="fill", **QUICK) as volume:
                assert volume.states.tolist() == [8] * 5 + [255] * 2 + [8] * 5
                assert (volume.array[5:7] == volume.metadata["fill"]).all()
                np.testing.assert_array_equal(volume.array[there], made.array[there])
                assert sorted({event.index for event in volume.events()}) == there.tolist()
                assert volume.segment.activity == "complete", "a gap is no failure"


def test_a_time_point_of_one_slice_is_not_made_up_from_others(tmp_path: Path) -> None:
    series = plain(count=9)
    for t, each in enumerate(series.slices):
        each.image.ImagePositionPatient = series.slices[0].image.ImagePositionPatient
        each.image.TemporalPositionIdentifier, each.image.NumberOfTemporalPositions = t + 1, 9
    made = write(series, tmp_path)
    server = serving(made)
    server.misbehave(bad.changed(delay=3600), path="|".join(f"{made.uids[t]}/frames" for t in (1, 2, 3, 5, 6, 7)))
    with running(server), volstream.open(server.series_url, stages="sparse", **QUICK) as volume:
        assert volume.shape[:2] == (9, 1)
        volume.wait(slices=[0, 4, 8], timeout=20)
        assert set(volume.states.tolist()) == {0, 8}
    with volstream.load(tmp_path) as volume:
        np.testing.assert_array_equal(volume.array[:, 0], made.array)


def test_time_points_of_one_slice_come_in_their_order(tmp_path: Path) -> None:
    series = plain(count=5)
    for t, each in enumerate(series.slices):
        each.image.ImagePositionPatient = series.slices[0].image.ImagePositionPatient
        each.image.TemporalPositionIdentifier, each.image.NumberOfTemporalPositions = t + 1, 5
    made = write(series, tmp_path)
    server = serving(made)
    with running(server), volstream.load(server.series_url, connections=1, order=3, **QUICK):
        pass
    asked = [made.uids.index(request.path.split("/")[-3]) for request in server.requests if "/frames/" in request.path]
    assert asked == [3, 0, 1, 2, 4]


@pytest.mark.parametrize("kind", ["colour", "float"])
@pytest.mark.parametrize("stages", ["coverage", "sparse"])
def test_colour_and_float_volumes(kind: str, stages: str, tmp_path: Path) -> None:
    if kind == "float":
        if ts.HTJ2K_RPCL not in available_syntaxes():
            pytest.skip("no encoder for HTJ2K is installed")
        truth = write_series(tmp_path, "pet", slices=9, rows=96, columns=80, transfer_syntax=ts.HTJ2K_RPCL)
        expected = truth.array
    else:
        expected = _colour(tmp_path)
    server = BadServer([path.read_bytes() for path in sorted(tmp_path.iterdir())])
    with running(server):
        for source in (server.series_url, tmp_path):
            with volstream.open(source, stages=stages, connections=1, **QUICK) as volume:
                states = {event.state for event in volume.events(timeout=20)}
                np.testing.assert_array_equal(volume.array, expected)
                assert states <= ({6, 8} if stages == "coverage" else {1, 2, 3, 8})
                assert stages != "coverage" or source is tmp_path or 6 in states


def _colour(folder: Path) -> np.ndarray:
    """Nine slices in RGB as JPEG 2000, ordered by resolution, with its reversible colour transform."""
    imagecodecs = pytest.importorskip("imagecodecs")
    code = (Path(__file__).parents[1] / "native/progressions/colour-rpcl-precincts-eph.j2k").read_bytes()
    rgb = imagecodecs.jpeg2k_decode(code)
    for path in write(plain(count=9), folder).files.values():
        dataset = pydicom.dcmread(path)
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *rgb.shape[:2], 3
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "YBR_RCT", 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        del dataset.RescaleSlope, dataset.RescaleIntercept
        dataset.file_meta.TransferSyntaxUID = ts.JPEG_2000_LOSSLESS
        dataset.PixelData = encapsulate([code])
        dataset["PixelData"].VR = "OB"
        dataset.save_as(path)
    return np.stack([rgb] * 9)


@pytest.mark.parametrize("order", [12, [0, 12]])
def test_an_order_of_slices_that_are_not_there_leaves_nothing(order: Any, tmp_path: Path) -> None:
    write(plain(), tmp_path)
    with pytest.raises(UsageError, match="slice 12"):
        volstream.open(tmp_path, order=order)
