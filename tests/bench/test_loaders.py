"""Every loader, tiny, as its own process: it obeys the protocol and gives the right voxels, or names why not."""

from __future__ import annotations

from typing import Any

import pytest

from volstream.bench.loaders import all_loaders, why_missing
from volstream.bench.loaders.child import Loader
from volstream.bench.scenarios.process import Case, child, served
from volstream.bench.scenarios.table import SCENARIOS, Scenario
from volstream.bench.series import SYNTAXES, Catalogue
from volstream.bench.servers import NotInstalledError

from .conftest import SIZE

#: Loader -> syntaxes that it refuses.
REFUSED = {"dcm2niix": {"htj2k"}, "dicomsdl": {"htj2k"}}


def load(loader: Loader, scenario: Scenario, syntax: str, catalogue: Catalogue) -> dict[str, Any]:
    if reason := why_missing(loader):
        pytest.skip(f"{loader.name}: {reason}")
    series = [catalogue.get(kind, syntax, SIZE) for kind in scenario.kinds]
    try:
        with served(scenario, series) as urls:
            return child(loader, Case(scenario, syntax, series, urls))
    except NotInstalledError as error:
        pytest.skip(str(error))


def check(result: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert "error" not in result, result
    assert result["verdict"] in ("exact", "close"), result
    assert tuple(result["shape"]) == shape
    for path in (("headers", "first", "coverage", "complete"), ("headers", "first", "half", "complete")):
        marks = [result["marks"][name] for name in path if result["marks"][name] is not None]
        assert marks == sorted(marks)
        assert marks[0] > 0
    assert result["marks"]["complete"]
    assert result["cpu_seconds"] > 0
    assert result["peak_bytes"] > result["base_bytes"] > 1 << 20


def cases(source: str) -> list[Any]:
    return [
        pytest.param(loader, syntax, id=f"{loader.name}, {syntax}")
        for loader in all_loaders()
        for syntax in ("uncompressed", "htj2k", "jpeg-ls")
        if source in loader.sources
        and not loader.name.startswith("Cornerstone3D")  # test_browser
        and (SYNTAXES[syntax] in loader.syntaxes if loader.syntaxes else syntax != "jpeg-ls")
        and syntax not in REFUSED.get(loader.name, ())
    ]


@pytest.mark.parametrize(("loader", "syntax"), cases("folder"))
def test_a_folder(loader: Loader, syntax: str, catalogue: Catalogue) -> None:
    check(load(loader, SCENARIOS["folder"], syntax, catalogue), (4, 48, 48))


@pytest.mark.parametrize(("loader", "syntax"), cases("url"))
def test_wado_rs_from_nginx(loader: Loader, syntax: str, catalogue: Catalogue) -> None:
    check(load(loader, SCENARIOS["nginx"], syntax, catalogue), (4, 48, 48))


@pytest.mark.parametrize("kind", ["4d", "enhanced", "pet", "two-folders"])
@pytest.mark.parametrize("name", ["volstream", "volstream, streaming", "pydicom"])
def test_odd_series(kind: str, name: str, catalogue: Catalogue) -> None:
    loader = next(loader for loader in all_loaders() if loader.name == name)
    shapes = {"4d": (10, 2, 24, 24)}
    check(load(loader, SCENARIOS[kind], "uncompressed", catalogue), shapes.get(kind, (4, 48, 48)))


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_an_error_in_one_line(name: str, catalogue: Catalogue) -> None:
    loader = next(loader for loader in all_loaders() if loader.name == name)
    (syntax,) = REFUSED[name]
    result = load(loader, SCENARIOS["folder"], syntax, catalogue)
    assert set(result) == {"error"}
    assert result["error"]
    assert "\n" not in result["error"]


def test_what_is_missing_is_named() -> None:
    loader = Loader("none", "none", needs=("no_such_module",))
    assert why_missing(loader) == "the Python package no_such_module is not installed"
    assert why_missing(loader._replace(needs=("program:no-such-program",))) == "no-such-program is not installed"
    assert why_missing(loader._replace(needs=(), missing=lambda: "it rains")) == "it rains"
    assert why_missing(loader._replace(needs=())) is None
