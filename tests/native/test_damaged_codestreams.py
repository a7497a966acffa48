"""Damaged codestreams give an error or a frame of the right shape: never a crash, a hang, or a word on the terminal.

What cannot be seen: most flipped bits within entropy-coded data decode to other samples without any complaint, in
every library; JPEG-LS notices most. A cut is always seen, but where it takes only the end marker and padding. Whole
frames are vouched for by transport framing and digests, not by decoders.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .codestreams import CODECS
from .damage import CASES, HEADER_BITS, RANDOM_FLIPS


def is_below_floor(codec: str) -> bool:
    def parts(version: str) -> tuple[int, ...]:
        return tuple(int(part) for part in version.split(".") if part.isdigit())

    return parts(CODECS[codec]["version"]) < parts(CODECS[codec]["floor"])


def run(case: str, folder: Path) -> dict[str, Any]:
    codec = CASES[case][0]
    row = CODECS[codec]
    if row["origin"] == "absent":
        pytest.skip(f"the {codec} decoder is not built in")
    progress = folder / "progress"
    child = subprocess.run(
        [sys.executable, "-m", "native.damage", case, str(progress)],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if child.returncode != 0:
        died = f"{case}: exit {child.returncode} at attempt {progress.read_text() if progress.exists() else 'none'}"
        if is_below_floor(codec):
            pytest.skip(f"{row['library']} {row['version']} is below {row['floor']}; {died}")
        pytest.fail(f"{died}\n{child.stderr.decode()}")
    assert child.stderr == b"", "the library printed"
    result: dict[str, Any] = json.loads(child.stdout)  # and nothing else is there
    return result


@pytest.mark.parametrize("case", CASES)
def test_damage_is_survived(case: str, tmp_path: Path) -> None:
    result = run(case, tmp_path)
    seen: dict[str, int] = result["outcomes"]
    assert sum(seen.values()) == result["size"] + HEADER_BITS + RANDOM_FLIPS
    assert result["slowest"] < 1  # seconds of CPU
    is_cut_welcome = CASES[case][3]
    if is_cut_welcome:
        assert seen["cut other"] > result["size"] / 2  # an image of what is there
    else:
        assert "cut other" not in seen
        assert seen.get("cut same", 0) <= 2  # the end marker
    assert seen["cut error"] > 0
    assert seen["header error"] > HEADER_BITS / 10
