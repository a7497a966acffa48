"""Every transfer syntax against a file that was encoded once, kept in the repository, and never changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import volstream
from volstream import UnsupportedError
from volstream.syntaxes import EXPLICIT, SYNTAXES

HERE = Path(__file__).parent
INDEX = json.loads((HERE / "index.json").read_text())


@pytest.mark.parametrize("syntax", INDEX)
def test_golden_file(syntax: str) -> None:
    try:
        volume = volstream.load(HERE / f"{syntax}.dcm")
    except UnsupportedError as error:
        pytest.skip(str(error))
    with volume:
        assert volume.shape == (1, 40, 57)
        assert volume.dtype == np.int16
        array = np.ascontiguousarray(volume.array.astype("<i2"))
    if INDEX[syntax]["tolerance"] == 0:
        assert hashlib.sha256(array.tobytes()).hexdigest() == INDEX[syntax]["sha256"]
    else:
        with volstream.load(HERE / f"{EXPLICIT}.dcm") as exact:
            difference = np.abs(array.astype(int) - exact.array)
        assert difference.max() <= INDEX[syntax]["tolerance"]


def test_there_is_one_for_nearly_every_syntax() -> None:
    missing = SYNTAXES.keys() - INDEX.keys()
    # Nothing that can be installed writes these two.
    assert len(missing) <= 2, missing
