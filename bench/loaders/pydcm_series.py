"""pydcm's series loader, which gives float32. It is looked for, and not in the `bench` extra: it has wheels for Python
3.12 and later only."""

from __future__ import annotations

from typing import Any

import numpy as np

from .child import Clock, Job, Loader, Source, child


def prepare(job: Job) -> None:
    import pydcm  # noqa: F401


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    import pydcm

    return np.ascontiguousarray(pydcm.load_series(source.folder).pixels)


LOADERS = (Loader("pydcm", __name__, needs=("pydcm",)),)

if __name__ == "__main__":
    child(load, prepare)
