"""A progress bar on standard error, with rich where it is installed and plain text where it is not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store.volume import Volume


def report(volume: Volume, progress: bool | Callable[[int, int], None]) -> None:
    """Follow a volume until it is loaded, telling how many slices are done."""
    if callable(progress):
        for event in volume.events():
            progress(event.loaded + event.failed, event.total)
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        _plain(volume)
        return
    console = Console(stderr=True)
    if console.is_jupyter and find_spec("ipywidgets") is None:  # rich shows nothing in a notebook without it
        _plain(volume)
        return
    columns = (TextColumn("loading"), BarColumn(), MofNCompleteColumn(), TextColumn("slices"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("loading", total=volume.progress.total)
        for event in volume.events():
            bar.update(task, completed=event.loaded + event.failed)


def _plain(volume: Volume) -> None:
    shown = -1
    for event in volume.events():
        percent = 100 * (event.loaded + event.failed) // event.total
        if percent != shown:
            shown = percent
            sys.stderr.write(f"\rloading {percent:3d} %  {event.loaded + event.failed}/{event.total} slices")
            sys.stderr.flush()
    sys.stderr.write("\n")
