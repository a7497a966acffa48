"""What is shipped: metadata, the typing marker, the stub of the native module, one version number."""

from __future__ import annotations

import ast
import inspect
import re
import tarfile
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import volstream
from volstream import _native

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = {".py", ".pyi", ".pyx", ".pxi", ".h", ".cpp"}


def test_metadata_names_what_exists() -> None:
    project = PROJECT["project"]
    assert (ROOT / project["readme"]).is_file()
    assert all((ROOT / name).is_file() for name in project["license-files"])
    assert all((ROOT / folder).is_dir() for folder in PROJECT["tool"]["scikit-build"]["wheel"]["packages"].values())
    for target in project["scripts"].values():
        module, _, function = target.partition(":")
        assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_extras_refer_to_extras() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    own = re.findall(r"volstream\[([^\]]*)\]", " ".join(name for names in extras.values() for name in names))
    assert {name for group in own for name in group.split(",")} <= set(extras)


def test_the_version_is_written_once() -> None:
    version = volstream.__version__
    assert "version" in PROJECT["project"]["dynamic"]
    sources = [path for room in ("src", "csrc") for path in (ROOT / room).rglob("*") if path.suffix in SOURCES]
    holders = [path.name for path in [*sources, ROOT / "CMakeLists.txt"] if f'"{version}"' in path.read_text()]
    assert holders == ["__init__.py"]


def test_the_installed_metadata_agree() -> None:
    try:
        installed = metadata.metadata("volstream")
    except metadata.PackageNotFoundError:
        pytest.skip("run from the source tree, not installed")
    assert installed["Version"] == volstream.__version__
    assert installed["Requires-Python"] == PROJECT["project"]["requires-python"]
    assert installed["License-Expression"] == "MIT"


def test_the_changelog_starts_with_this_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] in ("Unreleased", volstream.__version__)


def test_the_sdist_holds_what_a_build_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = pytest.importorskip("scikit_build_core.build", reason="the build backend is not installed")
    monkeypatch.chdir(ROOT)
    with tarfile.open(tmp_path / backend.build_sdist(str(tmp_path))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "CMakeLists.txt", "LICENSE", "README.md", "csrc/volstream.h"} <= names
    assert {"cmake/Codecs.cmake", "src/volstream/_native.pyx", "src/volstream/py.typed", "bench/command.py"} <= names
    assert {name.partition("/")[0] for name in names} & {"tests", "build", "dev", "tools", ".venv"} == set()
    assert [name for name in names if name.endswith((".so", ".o", ".dcm"))] == []


def test_type_information_is_shipped() -> None:
    package = Path(inspect.getfile(volstream)).parent
    assert (package / "py.typed").is_file()
    assert (package / "_native.pyi").is_file()


def test_the_stub_names_what_the_native_module_offers() -> None:
    stub = ast.parse((Path(inspect.getfile(volstream)).parent / "_native.pyi").read_text())
    promised = set()
    for node in stub.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            promised.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            promised.add(node.target.id)
    offered = {
        name
        for name, value in vars(_native).items()
        if not name.startswith("_") and getattr(value, "__module__", "volstream._native") == "volstream._native"
    }
    offered -= {name for name, value in vars(_native).items() if inspect.ismodule(value)}
    assert {name for name in promised if not name.startswith("_")} == offered
