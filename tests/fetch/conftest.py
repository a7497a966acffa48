from __future__ import annotations

from pathlib import Path

import pytest

from fetching import make_files


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    """Three slices, uncompressed."""
    return make_files(tmp_path / "series")
