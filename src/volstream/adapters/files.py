"""Volume -> file: which suffix is written by what."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from volstream.errors import ResourceError, UsageError


class Voxels(Protocol):
    """What a writer needs of a volume."""

    @property
    def array(self) -> npt.NDArray[Any]: ...
    @property
    def affine(self) -> npt.NDArray[Any]: ...
    @property
    def units(self) -> str: ...
    @property
    def metadata(self) -> dict[str, Any]: ...


class Writer(NamedTuple):
    """`module.write(volume, path)`, the library it needs, and the extra that installs that."""

    module: str
    library: str = ""
    extra: str = ""


WRITERS = {
    ".nii": Writer("nifti", "nibabel", "nifti"),
    ".nii.gz": Writer("nifti", "nibabel", "nifti"),
    ".nrrd": Writer("nrrd", "nrrd", "nrrd"),
    ".npy": Writer("npy"),
    ".zarr": Writer("ome_zarr", "zarr", "zarr"),
    ".png": Writer("montage"),
}


def check(path: str | os.PathLike[str]) -> Writer:
    """The writer for `path`; UsageError if nothing writes its suffix, its library is absent, or its folder is."""
    target = Path(path)
    suffix = max((known for known in WRITERS if target.name.lower().endswith(known)), key=len, default=None)
    if suffix is None:
        raise UsageError(f"cannot tell the format of {target.name!r}: known suffixes are {', '.join(WRITERS)}")
    writer = WRITERS[suffix]
    if writer.library and importlib.util.find_spec(writer.library) is None:
        raise UsageError(f"{suffix} files need {writer.library}: pip install 'volstream[{writer.extra}]'")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {target.absolute().parent}")
    return writer


def save(volume: Voxels, path: str | os.PathLike[str]) -> None:
    """Write a volume; the suffix of `path` says how: .nii, .nii.gz, .nrrd, .npy (and .json), .zarr, .png (a picture).

    What was there before is replaced when the new one is whole, not earlier. Raises UsageError where the format is
    unknown, not installed, or cannot hold such a volume, and ResourceError where the file system refuses.
    """
    writer, target = check(path), Path(path)
    write = import_module(f"volstream.adapters.{writer.module}").write
    try:
        with tempfile.TemporaryDirectory(prefix=".volstream-", dir=target.absolute().parent) as folder:
            write(volume, Path(folder) / target.name)
            for made in Path(folder).iterdir():
                _replace(target.with_name(made.name), made)
    except OSError as error:
        raise ResourceError(f"cannot write: {error.strerror or error}", address=os.fspath(path)) from error


def _replace(target: Path, made: Path) -> None:
    # A folder cannot be renamed over another one that is not empty.
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    made.replace(target)


def is_colour(volume: Voxels) -> bool:
    """Whether the last axis of the array is RGB."""
    return not str(volume.metadata.get("photometric", "MONOCHROME2")).startswith("MONOCHROME")
