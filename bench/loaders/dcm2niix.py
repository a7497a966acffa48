"""dcm2niix to an uncompressed NIfTI file in memory, and that file read."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .child import Clock, Loader, Source, child, program

_TYPES = {2: "<u1", 4: "<i2", 8: "<i4", 16: "<f4", 512: "<u2"}


def load(source: Source, clock: Clock, options: dict[str, Any]) -> np.ndarray:
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        command = [_program(), "-z", "n", "-b", "n", "-f", "volume", "-o", folder, str(source.folder)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        images = sorted(Path(folder).glob("*.nii"))
        if len(images) != 1:
            said = [line for line in (run.stdout + run.stderr).splitlines() if "rror" in line or "nsupported" in line]
            said.append(f"{len(images)} images, exit status {run.returncode}")
            raise RuntimeError(said[0].removeprefix("Warning: "))
        clock.outside(images[0].stat().st_size)
        data = images[0].read_bytes()
    return _array(data)


def _program() -> str:
    """The program itself: what the Python package puts beside the interpreter is a script around it."""
    with contextlib.suppress(ImportError):
        from dcm2niix import bin as packaged

        return str(packaged)
    return str(program("dcm2niix"))


def _array(nifti: bytes) -> np.ndarray:
    """The NIfTI-1 image, rescaled, in DICOM's direction of rows."""
    head = np.frombuffer(nifti, np.uint8, 348)
    dims = [int(n) for n in head[40:56].view("<i2")]
    offset, slope, intercept = (float(head[at : at + 4].view("<f4")[0]) for at in (108, 112, 116))
    stored = np.frombuffer(nifti, _TYPES[int(head[70:72].view("<i2")[0])], offset=int(offset))
    array = stored.reshape(dims[dims[0] : 0 : -1])[..., ::-1, :]
    if slope in (0.0, 1.0) and intercept == int(intercept):
        return np.add(array, np.int16(intercept), dtype=np.int16, casting="unsafe", order="C")
    return np.ascontiguousarray(array * np.float32(slope) + np.float32(intercept))


LOADERS = (Loader("dcm2niix", __name__, needs=("program:dcm2niix",), packages=("dcm2niix",)),)

if __name__ == "__main__":
    child(load)
