"""The layout's own rules: which room imports which, how long a file is, what importing the package costs.

They stand in CONTRIBUTING.md in words. A failure here means that something was put into the wrong room.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "volstream"
MODULES = sorted(PACKAGE.rglob("*.py"))

BASE = {"errors", "records", "syntaxes", "identity"}
CORE = BASE | {"_native", "headers", "plan", "store", "fetch", "engine"}
LOADERS = CORE | {"loop", "caching", "session", "opening", "registry"}
API = LOADERS | {"decoders", "images", "volumes", "local", "api"}

#: What each room may import from the package besides itself: the order in which data walks through the house.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "records": set(),
    "syntaxes": set(),
    "identity": {"errors"},
    "_native": {"errors"},
    "headers": BASE | {"_native"},
    "plan": BASE,
    "store": BASE | {"_native", "plan"},
    "fetch": BASE | {"_native", "headers"},
    "engine": CORE,
    "decoders": BASE | {"_native", "engine"},
    "loop": set(),
    "caching": CORE | {"__init__"},
    "session": CORE | {"loop", "caching"},
    "progress": {"errors", "store"},
    "opening": CORE | {"loop", "caching", "session"},
    "registry": BASE | {"store"},
    "images": LOADERS,
    "volumes": LOADERS | {"images"},
    "local": CORE,
    "api": LOADERS | {"progress", "volumes"},
    "samples": BASE,
    "adapters": API,
    "server": API | {"samples"},
    "__init__": API | {"adapters"},
    "cli": API | {"__init__", "progress", "adapters", "server"},
    "demo": API | {"__init__", "progress", "adapters", "server", "samples"},
    "__main__": {"cli"},
}

#: Where coroutines live. Everything else is plain code that any thread may call.
MAY_AWAIT = {
    "fetch",
    "engine.alone",
    "engine.pipeline",
    "engine.budget",
    "engine.scheduler",
    "engine.workers",
    "loop",
    "caching",
    "session",
    "images",
    "volumes",
    "api",
    "server",
    "store.changes",
}
MAY_PRINT = {"cli", "demo"}


def name_of(path: Path) -> str:
    """`engine.pipeline` for .../engine/pipeline.py, `engine` for its __init__, `__init__` for the package's own."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1]) if parts[-1] == "__init__" and len(parts) > 1 else ".".join(parts)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imported(path: Path) -> Iterator[str]:
    """Absolute names of everything a file imports, wherever in the file it does so."""
    package = ["volstream", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imported_rooms(path: Path) -> set[str]:
    """The rooms among them. A name taken from the package itself counts as one of `__init__`'s, unless it is a room."""
    rooms = set()
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "volstream" and rest:
            room = room_of(rest)
            rooms.add(room if room in MAY_IMPORT else "__init__")
    return rooms


def test_imports_go_one_way() -> None:
    rooms = {room_of(name_of(path)) for path in MODULES}
    assert rooms - set(MAY_IMPORT) == set(), "a new room: say in MAY_IMPORT where it stands"
    wrong = {}
    for path in MODULES:
        room = room_of(name_of(path))
        if forbidden := imported_rooms(path) - MAY_IMPORT[room] - {room}:
            wrong[name_of(path)] = forbidden
    assert wrong == {}


def test_the_native_module_needs_nothing_but_the_errors() -> None:
    native = [PACKAGE / "_native.pyx", *sorted((PACKAGE / "native").glob("*.pxi"))]
    text = "\n".join(path.read_text() for path in native)
    assert set(re.findall(r"^\s*c?import\s+volstream[\w.]*|from\s+(volstream[\w.]*)\s+c?import", text, re.M)) == {
        "volstream.errors"
    }


def test_coroutines_stay_in_their_rooms() -> None:
    plain = [path for path in MODULES if not MAY_AWAIT & {name_of(path), room_of(name_of(path))}]
    tops = {name_of(path): {name.partition(".")[0] for name in imported(path)} for path in plain}
    assert [module for module, names in tops.items() if names & {"asyncio", "aiohttp"}] == []


def test_only_commands_print() -> None:
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert [where for where in printing if where.partition(":")[0] not in MAY_PRINT] == []


def test_no_file_is_longer_than_400_lines() -> None:
    kinds = {".py", ".pyi", ".pyx", ".pxi", ".pxd", ".h", ".c", ".cpp"}
    files = [path for room in ("src", "csrc", "tests", "bench", "tools") for path in (ROOT / room).rglob("*")]
    lengths = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in files if path.suffix in kinds}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_every_room_of_the_tests_is_a_package() -> None:
    """Else files of one name collide; helpers beside a test are imported as `from .helper import ...`."""
    rooms = {path.parent for path in (ROOT / "tests").rglob("test_*.py")} - {ROOT / "tests"}
    assert [str(room.relative_to(ROOT)) for room in sorted(rooms) if not (room / "__init__.py").is_file()] == []


def test_importing_the_package_is_cheap() -> None:
    """Neither the import nor reaching for every public name pulls in what only some sources and outputs need."""
    code = "import sys, volstream; [getattr(volstream, name) for name in volstream.__all__]; print(*sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    heavy = ("aiohttp", "pydicom", "nibabel", "nrrd", "zarr", "PIL", "rich", "torch", "SimpleITK", "imagecodecs")
    assert [name for name in child.stdout.split() if name.partition(".")[0] in heavy] == []


def test_nothing_names_the_machine_it_was_written_on() -> None:
    """No absolute path of a developer's machine in anything that is under version control."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    own_path = re.compile(rb"(?<![\w.])/(?:root|work|Users)/")
    files = [ROOT / name for name in listing.stdout.split("\0") if name]
    assert [str(path) for path in files if path.is_file() and own_path.search(path.read_bytes())] == []
