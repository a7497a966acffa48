"""Which prefixes of a frame are of use, and for what."""

from __future__ import annotations

from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from volstream import _native
from volstream.engine.prefix import MOST_REDUCED, finest, prefix_sizes, useful
from volstream.errors import DamagedError, UnsupportedError
from volstream.records import PixelFormat
from volstream.syntaxes import HTJ2K_LOSSLESS, HTJ2K_RPCL, JPEG_2000_LOSSLESS, JPEG_LS

ROWS, COLUMNS = 150, 170
PIXEL = PixelFormat(ROWS, COLUMNS, 16, 12, 11)
X, Y = np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))
FRAME = (2000 + 1500 * np.sin(X / 17) * np.cos(Y / 11)).astype(np.uint16)
SYNTAXES = [HTJ2K_LOSSLESS, HTJ2K_RPCL, JPEG_2000_LOSSLESS]


def encoded(syntax: str, levels: int = 6) -> bytes:
    if syntax == JPEG_2000_LOSSLESS:
        options = {"level": 0, "codecformat": "j2k", "reversible": True, "bitspersample": 12}
        return bytes(imagecodecs.jpeg2k_encode(FRAME, resolutions=levels + 1, **options))
    options = {"tlm": True, "tilepart": 1} if syntax == HTJ2K_RPCL else {}
    return bytes(imagecodecs.htj2k_encode(FRAME, reversible=True, resolutions=levels, **options))


def decoded(syntax: str, data: bytes, reduce: int) -> bytes | None:
    """The values of a prefix; None if it has not one packet."""
    out = bytearray(4 * (-(-ROWS >> reduce)) * (-(-COLUMNS >> reduce)))
    codec = "jpeg-2000" if syntax == JPEG_2000_LOSSLESS else "htj2k"
    spec = _native.FrameSpec(
        codec=codec, rows=ROWS, columns=COLUMNS, bits_allocated=16, bits_stored=12, high_bit=11, reduce=reduce,
        allow_truncated=True,
    )  # fmt: skip
    try:
        _native.decode(spec, data, out, 0, "int32")
    except DamagedError:
        return None
    return bytes(out)


@pytest.fixture(params=SYNTAXES)
def syntax(request: pytest.FixtureRequest) -> str:
    codec = "jpeg-2000" if request.param == JPEG_2000_LOSSLESS else "htj2k"
    if any(row["name"] == codec and row["origin"] == "absent" for row in _native.codecs()):
        pytest.skip(f"the {codec} decoder is not built in")
    return str(request.param)


def test_sizes_are_the_shortest_prefixes_that_decode_as_the_whole_does(syntax: str) -> None:
    data = encoded(syntax)
    sizes = prefix_sizes(PIXEL, syntax, data)
    assert sizes is not None
    resolutions = _native.probe(data)["resolutions"]  # type: ignore[index]
    assert list(sizes) == list(range(1, min(resolutions, MOST_REDUCED) + 1))
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    for reduce, size in sizes.items():
        whole = decoded(syntax, data, reduce)
        assert decoded(syntax, data[:size], reduce) == whole
        assert decoded(syntax, data[: size - 1], reduce) != whole
        coarser = reduce + 1 if reduce < resolutions else None
        assert (finest(data[:size]), finest(data[: size - 1])) == (reduce, coarser)
    assert finest(data) == 0
    assert finest(data[:80]) is None


def test_there_are_as_many_sizes_as_resolutions(syntax: str) -> None:
    assert list(prefix_sizes(PIXEL, syntax, encoded(syntax, 2)) or ()) == [1, 2]


def test_a_codestream_of_one_resolution_has_no_useful_prefix() -> None:
    data = encoded(JPEG_2000_LOSSLESS, 0)
    assert not useful(data)
    assert prefix_sizes(PIXEL, JPEG_2000_LOSSLESS, data) is None


def test_a_prefix_tells_of_what_it_lists() -> None:
    data = encoded(HTJ2K_RPCL)
    assert prefix_sizes(PIXEL, HTJ2K_RPCL, data[:300]) == prefix_sizes(PIXEL, HTJ2K_RPCL, data)
    bare = encoded(HTJ2K_LOSSLESS)
    sizes = prefix_sizes(PIXEL, HTJ2K_LOSSLESS, bare)
    assert sizes is not None
    assert prefix_sizes(PIXEL, HTJ2K_LOSSLESS, bare[: sizes[4]]) == {5: sizes[5], 4: sizes[4]}


def test_half_a_kilobyte_tells_whether_prefixes_are_useful(syntax: str) -> None:
    data = encoded(syntax)
    assert useful(data)
    assert useful(memoryview(data)[:512])
    assert not useful(data[:40])


def test_other_codecs_have_no_useful_prefix() -> None:
    data = bytes(imagecodecs.jpegls_encode(FRAME))
    assert not useful(data)
    assert prefix_sizes(PIXEL, JPEG_LS, data) is None
    assert finest(data) is None


def test_a_frame_that_would_be_refused_has_no_sizes(syntax: str) -> None:
    data = encoded(syntax)
    assert prefix_sizes(replace(PIXEL, rows=ROWS + 1), syntax, data) is None
    assert prefix_sizes(replace(PIXEL, samples_per_pixel=3), syntax, data) is None
    with pytest.raises(UnsupportedError):
        prefix_sizes(PIXEL, "1.2.3", data)
