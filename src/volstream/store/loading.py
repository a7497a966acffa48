"""The handle that `Volume.load` returns, and what it would do, slice by slice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .states import FULL

if TYPE_CHECKING:
    from .volume import Volume

#: A fraction that one slice satisfies, and none does not.
ANY = 1e-12


class Loading:
    """A load that runs, or has ended: wait for it, await it, or have a function called when it is over.

    It stands for all slices, or those that were asked for; `first` for the first one that comes, whichever.
    """

    def __init__(
        self,
        volume: Volume,
        fraction: float | None = None,
        quality: int | None = None,
        slices: Sequence[int] | None = None,
    ) -> None:
        self._volume = volume
        self._fraction = fraction
        self._slices = slices
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
        if self._slices is not None:
            return bool((self._volume.states[self._slices] >= self._quality).all())  # there, or failed
        states = self._volume.states[self._volume.has_image]
        share = 1.0 if self._fraction is None else self._fraction
        return bool(np.count_nonzero((states >= self._quality) & (states <= FULL)) >= share * len(states))

    def wait(self, timeout: float | None = None) -> Volume:
        """Block until it is there, and return the volume; raises as `Volume.wait`."""
        self._volume.wait(self._fraction, slices=self._slices, timeout=timeout, quality=self._quality)
        return self._volume

    def __await__(self) -> Generator[Any, None, Volume]:
        waiting = self._volume.wait_async(self._fraction, slices=self._slices, quality=self._quality)
        yield from waiting.__await__()
        return self._volume

    def add_done_callback(self, function: Callable[[Volume], object]) -> None:
        """Call `function(volume)` once, in a thread of its own, when it is there, or the load has ended otherwise."""

        def follow() -> None:
            if not self.done:
                for _ in self._volume.events():
                    if self.done:
                        break
            function(self._volume)

        threading.Thread(target=follow, name="volstream-callback", daemon=True).start()


@dataclass(frozen=True, slots=True)
class ImageLoadRequest:
    """One slice that a volume has to load, for callers who merge the queues of several volumes themselves."""

    index: int
    image_id: str | None
    #: Its place in the volume's order of loading, 0 first.
    priority: int
    _volume: Volume = field(repr=False, compare=False)

    def load(self) -> Loading:
        """Load this slice next, after those that were asked for before; returns a handle for it alone."""
        return self._volume.load([self.index])
