"""volstream: `load`, as one calls it for the whole volume, and `open`, as one does to look at it while it comes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .child import Clock, Job, Loader, Source, child

_open: list[Any] = []  # volumes stay open until their arrays have been checked


def prepare(job: Job) -> None:
    import volstream.api
    import volstream.fetch.local

    if "url" in job["sources"][0]:
        import volstream.fetch.wado  # noqa: F401


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    import volstream

    where = source.folder or source.url
    told = {"workers": source.cores, **options.get("load", {})}
    if options.get("streaming"):
        volume = volstream.open(where, **told)
        clock.mark("headers")
        seen = np.zeros(volume.progress.total, bool)
        for event in volume.events():
            clock.mark("first")
            if not seen[event.index] and event.state != 255:
                seen[event.index] = True
                if seen.all():
                    clock.mark("coverage")
            if 2 * event.loaded >= event.total:
                clock.mark("half")
        volume.wait()
    else:
        volume = volstream.load(where, **told)  # which shows nothing before the end
    clock.mark("complete")
    clock.outside(volume.array.nbytes)
    clock.processes()
    _open.append(volume)
    return volume.array


LOADERS = (
    Loader("volstream", __name__, ("folder", "url"), packages=("volstream",)),
    Loader("volstream, streaming", __name__, ("folder", "url"), options={"streaming": True}, packages=("volstream",)),
)

if __name__ == "__main__":
    child(load, prepare)
    for volume in _open:
        volume.close()
