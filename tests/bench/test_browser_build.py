"""Cornerstone3D's page where it cannot be built, or is not the one of these sources: said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from volstream.bench import browser


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(browser, "folder", lambda: tmp_path / "built")
    return tmp_path / "built"


def node_says(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_what_is_not_built_is_missing_and_the_reason_says_how_to_build_it() -> None:
    assert "python -m volstream.bench.browser" in str(browser.why_missing())


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.0"])
def test_node_is_too_old(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node_says(version, tmp_path, monkeypatch)
    with pytest.raises(RuntimeError, match=r"Node 20\.19 or later"):
        browser.build()


def test_no_node_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"needs npm and Node"):
        browser.build()


def test_what_other_sources_made_is_made_again(built: Path) -> None:
    built.mkdir()
    (built / "built-from").write_text("other sources")
    assert browser.why_missing()


def test_the_lock_file_names_no_place_to_download_from() -> None:
    assert '"resolved"' not in (browser.HERE / "package-lock.json").read_text()
