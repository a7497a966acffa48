"""Which decoder serves which transfer syntax on this machine, and whether its library is recent enough."""

from __future__ import annotations

import re
from typing import Any

from . import _native
from .syntaxes import SYNTAXES


def library_table() -> list[dict[str, Any]]:
    """One row a codec of the native core: library, version, where it comes from, a note if it is too old."""
    return [
        {
            "codec": row["name"],
            "library": row["library"] or "-",
            "version": row["version"] or "-",
            "origin": row["origin"],
            "note": _note(row),
        }
        for row in _native.codecs()
    ]


def decoder_table() -> list[dict[str, Any]]:
    """One row a transfer syntax: the decoder that `load` will use, "none" if nothing installed can."""
    native = {row["name"]: row for row in _native.codecs()}
    rows = []
    for syntax in SYNTAXES.values():
        codec = native.get(syntax.codec)
        if codec is not None and codec["origin"] != "absent":
            decoder = "native" if codec["origin"] == "own" else f"native, {codec['library']} {codec['version']}"
            if syntax.codec == "jpeg" and codec["max_bits"] < 12 and syntax.name.startswith("JPEG Extended"):
                decoder += f" (8 bit); 12 bit: {_plugin(syntax.uid)}"
        else:
            decoder = _plugin(syntax.uid)
        rows.append({"transfer syntax": syntax.uid, "name": syntax.name, "decoder": decoder})
    return rows


def _plugin(uid: str) -> str:
    from .engine.plugins import available

    plugins = available(uid)
    return f"plugin, {', '.join(plugins)} (in worker processes)" if plugins else "none"


def _note(row: dict[str, Any]) -> str:
    if row["origin"] == "absent":
        return "not built in"
    if row["floor"] and _parsed(row["version"]) < _parsed(row["floor"]):
        return f"below {row['floor']}: damaged streams can hang or crash it"
    return ""


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
