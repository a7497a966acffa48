"""Which stages suit which link, and how long the beginnings of frames have to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from volstream.engine.cost import beginning_of, decode_seconds
from volstream.engine.sizes import PrefixSizes, is_scalable
from volstream.engine.staging import stages_after
from volstream.fetch.link import BULK, Link
from volstream.fetch.source import Want
from volstream.headers.part10 import read_records
from volstream.plan.stages import COVERAGE, FULL_ONLY, SPARSE
from volstream.records import Payload
from volstream.samples import available_syntaxes, write_series
from volstream.syntaxes import EXPLICIT, HTJ2K_RPCL, JPEG_2000_LOSSLESS, JPEG_LS, RLE

from .conftest import frame


def link(bandwidth: float, latency: float) -> Link:
    """Bytes and seconds."""
    return Link(latency=latency, received=1, seconds=1.0, _bulk=int(bandwidth), _bulk_seconds=1.0)


def test_a_fast_link_takes_one_step() -> None:
    assert stages_after(link(1e9, 0.0001), 300 * 200_000, 0.1, 300 / 16, True) is FULL_ONLY


def test_a_slow_link_shows_all_of_it_first() -> None:
    assert stages_after(link(4e6, 0.01), 174 * 200_000, 0.1, 174 / 16, True) is COVERAGE


def test_a_slow_link_and_a_codec_without_resolutions() -> None:
    assert stages_after(link(4e6, 0.01), 174 * 200_000, 0.0, 174 / 16, False) is SPARSE


def test_a_codec_that_takes_long_shows_all_of_it_first_even_without_a_link() -> None:
    assert stages_after(None, 0, 5.0, 300.0, True) is COVERAGE
    assert stages_after(link(1e9, 0.0001), 300 * 200_000, 5.0, 300 / 16, True) is COVERAGE
    assert stages_after(None, 0, 0.1, 300.0, True) is FULL_ONLY


def test_where_requests_are_dear_only_some_slices_have_a_preview() -> None:
    preview, full = stages_after(link(50e6, 0.1), 300 * 200_000, 0.1, 300 / 16, True)
    assert preview.every == 8
    assert preview.fill == "linear"
    assert full is COVERAGE[1]


def test_nothing_is_known_of_the_link() -> None:
    assert stages_after(Link(), 300 * 200_000, 0.0, 300 / 16, True) is FULL_ONLY


def test_the_cost_of_a_frame_is_told_from_its_beginning(tmp_path: Path) -> None:
    """Not in seconds, which no test may ask for: that there is one, and of what there is none."""
    if JPEG_2000_LOSSLESS not in available_syntaxes():
        pytest.skip("no encoder for JPEG 2000 is installed")
    truth = write_series(tmp_path, slices=1, rows=256, columns=200, transfer_syntax=JPEG_2000_LOSSLESS)
    (record,) = read_records(str(truth.files[0]))
    assert record.location is not None
    beginning = beginning_of(record.location)
    assert len(beginning) <= BULK
    assert decode_seconds(record.pixel, record.transfer_syntax, beginning) > 0
    assert decode_seconds(record.pixel, record.transfer_syntax, beginning[:100]) == 0
    assert decode_seconds(record.pixel, record.transfer_syntax, b"no codestream") == 0


@pytest.mark.parametrize(
    ("syntax", "expected"), [(HTJ2K_RPCL, True), (EXPLICIT, False), (RLE, False), (JPEG_LS, False), ("1.2.3", False)]
)
def test_which_syntaxes_have_resolutions(syntax: str, expected: bool) -> None:
    assert is_scalable(syntax) is expected


def test_sizes_are_guessed_and_given_up_when_a_frame_shows_that_they_are_of_no_use() -> None:
    sizes, want = PrefixSizes(), Want(0, replace(frame(0), transfer_syntax=HTJ2K_RPCL), reduce=1)
    guess = sizes.of(want)
    assert guess is not None
    assert 0 < guess < 256 + want.record.pixel.frame_bytes
    assert sizes.of(replace(want, reduce=0)) is None
    assert sizes.of(replace(want, record=frame(0))) is None  # uncompressed
    assert not sizes.learn(want.record.pixel, Payload(b"no codestream", HTJ2K_RPCL))
    assert sizes.of(want) is None
