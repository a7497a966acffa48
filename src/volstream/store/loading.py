"""The handle that `Volume.load` returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from .states import FULL

if TYPE_CHECKING:
    from .volume import Volume

#: A fraction that one slice satisfies, and none does not.
ANY = 1e-12


class Loading:
    """A load that runs, or has ended: wait for it, await it, or have a function called when it is over.

    It stands for all slices; `first` for the first one that comes.
    """

    def __init__(self, volume: Volume, fraction: float = 1.0, quality: int | None = None) -> None:
        self._volume = volume
        self._fraction = fraction
        self._quality = volume.quality if quality is None else quality

    @property
    def first(self) -> Loading:
        """The same for the first pixels: a slice, whichever, at whatever quality."""
        return Loading(self._volume, ANY, 1)

    @property
    def done(self) -> bool:
        """What it stands for is there, or the load has ended otherwise."""
        if self._volume.ended:
            return True
        states = self._volume.states[self._volume.has_image]
        return bool(np.count_nonzero((states >= self._quality) & (states <= FULL)) >= self._fraction * len(states))

    def wait(self, timeout: float | None = None) -> Volume:
        """Block until it is there, and return the volume; raises as `Volume.wait`."""
        self._volume.wait(self._fraction, timeout=timeout, quality=self._quality)
        return self._volume

    def __await__(self) -> Generator[Any, None, Volume]:
        yield from self._volume.wait_async(self._fraction, quality=self._quality).__await__()
        return self._volume

    def add_done_callback(self, function: Callable[[Volume], object]) -> None:
        """Call `function(volume)` once, in a thread of its own, when it is there, or the load has ended otherwise."""

        def follow() -> None:
            for _ in self._volume.events():
                if self.done:
                    break
            function(self._volume)

        threading.Thread(target=follow, name="volstream-callback", daemon=True).start()
