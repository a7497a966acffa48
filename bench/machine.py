"""What a run's figures belong to: processor, memory, kernel, and the version of everything that was measured."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from volstream import __version__

from . import browser
from .loaders import all_loaders, versions
from .loaders.child import program

#: Programs, and what makes each tell its version.
_PROGRAMS = {"nginx": "-v", "Orthanc": "--version", "chromium": "--version", "node": "--version"}


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """The first line of a run's file."""
    return {
        "kind": "machine",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": _system(),
        "python": platform.python_version(),
        "versions": {
            "volstream": __version__,
            "numpy": np.__version__,
            **versions(all_loaders()),
            "Cornerstone3D": browser.version(),
            **_programs(),
        },
    }


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", path.read_text(), re.M) if path.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()


def _programs() -> dict[str, str]:
    found = {}
    for name, option in _PROGRAMS.items():
        if path := program(name):
            run = subprocess.run([path, option], capture_output=True, text=True, check=False, timeout=20)
            if number := re.search(r"\d+(\.\d+)+", run.stdout + run.stderr):
                found[name] = number[0]
    return found
