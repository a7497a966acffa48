"""The loaders that are compared: one file a family, found by its `LOADERS`. PROTOCOL.md says what each must do."""

from __future__ import annotations

import pkgutil
from importlib import import_module, metadata
from importlib.util import find_spec

from .child import Loader, program


def all_loaders() -> list[Loader]:
    """Every row of every module here, volstream's own first, then by name of the module."""
    names = sorted((module.name for module in pkgutil.iter_modules(__path__)), key=lambda name: (name != "own", name))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return [loader for module in modules for loader in getattr(module, "LOADERS", ())]


def why_missing(loader: Loader) -> str | None:
    """Why a loader cannot run here, in words; None if it can."""
    for need in loader.needs:
        kind, _, name = need.partition(":")
        if name and not program(name):
            return f"{name} is not installed"
        if not name and find_spec(kind) is None:
            return f"the Python package {kind} is not installed"
    return loader.missing() if loader.missing else None


def versions(loaders: list[Loader]) -> dict[str, str]:
    """Distribution -> version, of all that the loaders name."""
    found = {}
    for name in sorted({name for loader in loaders for name in loader.packages or loader.needs}):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
