"""The handle that `Volume.load` returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .volume import Volume


class Loading:
    """A load that runs, or has ended: wait for it, await it, or have a function called when it is over."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume

    @property
    def done(self) -> bool:
        """The load has ended, however it did."""
        return self._volume.ended

    def wait(self, timeout: float | None = None) -> Volume:
        """Block until every slice is there, and return the volume; raises as `Volume.wait`."""
        self._volume.wait(timeout=timeout)
        return self._volume

    def __await__(self) -> Generator[Any, None, Volume]:
        yield from self._volume.wait_async().__await__()
        return self._volume

    def add_done_callback(self, function: Callable[[Volume], object]) -> None:
        """Call `function(volume)` once, in a thread of its own, when the load has ended, however it did."""

        def follow() -> None:
            for _ in self._volume.events():
                pass
            function(self._volume)

        threading.Thread(target=follow, name="volstream-callback", daemon=True).start()
