"""Tiny series for the bench, written once for all of its tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from volstream.bench.series import Catalogue, Size

SIZE = Size(slices=4, rows=48, small=6, large=64)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return Catalogue(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="session")
def options(catalogue: Catalogue) -> list[str]:
    """For the command line: the same series, one round."""
    return ["--slices", "4", "--rows", "48", "--rounds", "1", "--data", str(catalogue.folder)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "report"
