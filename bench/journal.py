"""What a run writes: a line of JSON for each measurement, as it is made, and where it is, for who waits."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


class Journal:
    def __init__(self, path: Path | None) -> None:
        self.lines: list[dict[str, Any]] = []
        self._file = path.open("w") if path else None
        self._width = 0

    def write(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        if self._file:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def skip(self, scenario: str, syntax: str | None, loader: str | None, reason: str) -> None:
        """Nothing is left out without its name and a reason."""
        line = {"kind": "skipped", "scenario": scenario, "syntax": syntax, "loader": loader, "reason": reason}
        self.write(line)
        self.say(f"skipped: {', '.join(filter(None, (scenario, syntax, loader)))}: {reason}")

    def say(self, text: str) -> None:
        self._clear()
        print(text, file=sys.stderr, flush=True)

    def progress(self, text: str, turn: int, rounds: int) -> None:
        """A line that the next one overwrites, on a terminal."""
        if not sys.stderr.isatty():
            return
        text = f"{text}, {turn} of {rounds}"
        sys.stderr.write(f"\r{text:<{self._width}}")
        sys.stderr.flush()
        self._width = len(text)

    def _clear(self) -> None:
        if self._width:
            sys.stderr.write(f"\r{'':<{self._width}}\r")
            self._width = 0

    def close(self) -> None:
        self._clear()
        if self._file:
            self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
