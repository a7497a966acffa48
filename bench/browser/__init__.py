"""Cornerstone3D's page: src/main.js, built by `python -m volstream.bench.browser`, driven by run.mjs.

What npm installs and Vite builds goes to a folder of its own: build/browser in a checkout, else the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
_SOURCES = ("package.json", "package-lock.json", "index.html", "vite.config.js", "src")
#: What Vite needs.
_NODE = (20, 19)


def version() -> str:
    return str(json.loads((HERE / "package.json").read_text())["dependencies"]["@cornerstonejs/core"])


def folder() -> Path:
    checkout = HERE.parents[1]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "build" / "browser"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "volstream-bench" / "browser"


def why_missing() -> str | None:
    """Why there is no page to measure, in words; None if there is one, built from these sources."""
    stamp = folder() / "built-from"
    if stamp.is_file() and stamp.read_text() == _fingerprint():
        return None
    return f"its page is not built: `python -m {__name__}` does that"


def build() -> None:
    """Raises RuntimeError, in words, where it cannot be built."""
    if why_missing() is None:
        return
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout if node else ""
    if not shutil.which("npm") or tuple(int(part) for part in version[1:].split(".")[:2]) < _NODE:
        raise RuntimeError(f"needs npm and Node {_NODE[0]}.{_NODE[1]} or later (Debian: npm nodejs)")
    target = folder()
    target.mkdir(parents=True, exist_ok=True)
    (target / "built-from").unlink(missing_ok=True)
    shutil.rmtree(target / "src", ignore_errors=True)
    for name in _SOURCES:
        copy = shutil.copytree if (HERE / name).is_dir() else shutil.copyfile
        copy(HERE / name, target / name)
    for command in ("npm ci --ignore-scripts --no-audit --no-fund", "npx vite build --logLevel warn"):
        done = subprocess.run(command.split(), cwd=target, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"`{command}` failed: {done.stderr.strip() or done.stdout.strip()}")
    (target / "built-from").write_text(_fingerprint())


def _fingerprint() -> str:
    files = [path for name in _SOURCES for path in sorted({HERE / name, *(HERE / name).rglob("*")}) if path.is_file()]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
