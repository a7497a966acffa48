"""Small series for every case that a volume loader has to know, and what is true of each.

`case(name, folder)` writes one of `CASES` into a folder. All begin as the same plain CT: 12 axial slices of 24 x 32,
0.9 x 0.8 mm pixels, 2.5 mm apart, file names and InstanceNumber from the feet up; each case then changes something.
`BAD` holds those that no reader can make a volume of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np

from dicomseries import AXIAL, COLUMNS, ORIGIN, ROWS, SLICES, SPACING, STEP, Case, Series, Slice, plain, write
from volstream import syntaxes as ts
from volstream.samples import instance
from volstream.samples.instance import Grid

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
TILT_DEGREES = 15.0


def case(name: str, folder: Path) -> Case:
    """Write one of `CASES` or `BAD` into `folder`."""
    return write((CASES | BAD)[name](), folder)


def _move(chosen: Slice, offset: tuple[float, float, float]) -> None:
    chosen.image.ImagePositionPatient = [
        instance.decimal(float(a) + b) for a, b in zip(chosen.image.ImagePositionPatient, offset, strict=True)
    ]


def _copy(chosen: Slice, label: str) -> Slice:
    """The same slice as an instance of its own."""
    image = deepcopy(chosen.image)
    image.SOPInstanceUID = instance.uid(label, chosen.uid)
    return Slice(image, chosen.stored.copy(), f"{label}-{chosen.name}", odd=True)


# ------------------------------------------------------------------ series that are, or nearly are, a volume


def reversed_numbers() -> Series:
    series = plain()
    for k, each in enumerate(series.slices):
        each.image.InstanceNumber = SLICES - k
    return series


def shuffled() -> Series:
    """Neither file names nor InstanceNumber tell the order."""
    series = plain()
    random = np.random.default_rng(3)
    for each, number, name in zip(
        series.slices, random.permutation(SLICES) + 1, random.permutation(SLICES) + 1, strict=True
    ):
        each.image.InstanceNumber, each.name = int(number), f"{name:03d}.dcm"
    return series


def missing() -> Series:
    series = plain()
    series.absent.append(series.odd(5))
    return series


def jump() -> Series:
    """From slice 6 on everything lies 0.6 mm further up."""
    series = plain()
    series.odd(6)
    for each in series.slices[6:]:
        _move(each, (0, 0, 0.6))
    return series


def jitter() -> Series:
    series = plain()
    for each, offset in zip(series.slices, np.random.default_rng(4).uniform(-0.004, 0.004, SLICES), strict=True):
        _move(each, (0, 0, float(offset)))
    return series


def duplicate() -> Series:
    """One slice twice: same place, same voxels, another SOP Instance UID."""
    series = plain()
    series.strays.append(_copy(series.slices[4], "duplicate"))
    return series


def duplicate_differs() -> Series:
    """Two slices at one place whose voxels differ."""
    series = duplicate()
    series.strays[0].stored += 100
    return series


def tilt() -> Series:
    """Gantry tilt: planes lean 15 degrees, the table still moves along z."""
    lean = math.radians(TILT_DEGREES)
    grid = Grid(ROWS, COLUMNS, SPACING, (1.0, 0.0, 0.0, 0.0, math.cos(lean), math.sin(lean)), STEP)
    series = plain(grid=grid, label="tilt")
    series.step = (0.0, 0.0, STEP)  # the shear
    for k, each in enumerate(series.slices):
        each.image.ImagePositionPatient = [instance.decimal(v) for v in (*ORIGIN[:2], ORIGIN[2] + k * STEP)]
        each.image.GantryDetectorTilt = instance.decimal(TILT_DEGREES)
    return series


def localizer() -> Series:
    """A sagittal scout of the same size in the same series."""
    series = plain()
    scout = plain(grid=replace(series.grid, orientation=SAGITTAL), count=1, label="scout").slices[0]
    scout.image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.image.InstanceNumber = 0
    _adopt(series, scout, "000.dcm")
    return series


def _adopt(series: Series, stray: Slice, name: str) -> None:
    identity = series.identity
    stray.image.StudyInstanceUID, stray.image.SeriesInstanceUID = identity.study_uid, identity.series_uid
    stray.image.FrameOfReferenceUID = identity.frame_of_reference_uid
    stray.name, stray.odd = name, True
    series.strays.append(stray)


def other_rows() -> Series:
    """One slice in the middle has four rows less."""
    series = plain()
    chosen = series.odd(6)
    chosen.stored = chosen.stored[:20]
    chosen.image.Rows = 20
    return series


def pet() -> Series:
    return plain("pet")


def truncated() -> Series:
    """One file ends 500 bytes before its pixel data do."""
    series = plain()
    series.odd(7)
    series.cut = 500
    return series


def time_points() -> Series:
    """Two volumes of six slices at the same places, one minute apart."""
    series = plain()
    series.time_points = 2
    for n, each in enumerate(series.slices):
        t, k = divmod(n, 6)
        each.image.ImagePositionPatient = [instance.decimal(v) for v in (*ORIGIN[:2], ORIGIN[2] + k * STEP)]
        each.image.AcquisitionNumber = t + 1
        each.image.TemporalPositionIdentifier, each.image.NumberOfTemporalPositions = t + 1, 2
        each.image.AcquisitionTime = f"10300{t}"
        each.image.ContentTime = f"10350{t}"
    return series


def orientation_jitter() -> Series:
    series = plain()
    for each, noise in zip(series.slices, np.random.default_rng(5).uniform(-1e-6, 1e-6, (SLICES, 6)), strict=True):
        each.image.ImageOrientationPatient = [f"{a + b:.9f}" for a, b in zip(AXIAL, noise, strict=True)]
    return series


def no_position() -> Series:
    series = plain()
    del series.odd(3).image.ImagePositionPatient
    return series


def mixed() -> Series:
    """Two whole stacks in one series: 12 axial slices and 6 sagittal ones."""
    series = plain()
    other = plain(grid=replace(series.grid, orientation=SAGITTAL), count=6, label="sagittal")
    for k, each in enumerate(other.slices):
        _adopt(series, each, f"1{k:02d}.dcm")
    return series


def not_dicom() -> Series:
    """Text, an empty file and a DICOMDIR among the images."""
    series = plain()
    series.litter = {"readme.txt": b"not an image\n" * 50, "empty.dcm": b"", "DICOMDIR": b"\0" * 128 + b"DICM"}
    return series


def enhanced() -> Series:
    """All frames in one Enhanced CT object."""
    return replace(plain(), enhanced=True)


def enhanced_rle() -> Series:
    return replace(plain(), enhanced=True, transfer_syntax=ts.RLE)


# ------------------------------------------------------------------ series that must be refused


def bad_rows() -> Series:
    """Rows says twice what the pixel data hold."""
    series = plain()
    for each in series.slices:
        each.image.Rows, each.odd = 2 * ROWS, True
    return series


def bad_bits_allocated() -> Series:
    """BitsAllocated is no number of bits that pixel data can have (PS3.5 8.1.1), and contradicts BitsStored."""
    series = plain()
    series.odd(2).image.BitsAllocated = 7
    return series


def wrong_bits_allocated() -> Series:
    """BitsAllocated is legal, and says twice what the pixel data hold."""
    series = plain()
    for each in series.slices:
        each.image.BitsAllocated, each.odd = 32, True
    return series


def bad_codestream() -> Series:
    """One JPEG-LS codestream is smaller than Rows and Columns say."""
    series = plain()
    series.transfer_syntax = ts.JPEG_LS
    chosen = series.odd(5)
    chosen.stored = chosen.stored[:20, :20]
    return series


def huge_rows() -> Series:
    """65535 x 65535 x 12 slices: 96 GiB of 16-bit values."""
    series = plain()
    for each in series.slices:
        each.image.Rows = each.image.Columns = 65535
        each.odd = True
    return series


def huge_frames() -> Series:
    """One enhanced object that claims 103 GiB of frames."""
    series = replace(plain(), enhanced=True, claimed_frames=72_000_000)
    series.odd(0)
    return series


def empty() -> Series:
    """A folder with nothing in it."""
    return replace(plain(), slices=[])


#: Series that are a volume, or become one by a policy that the plan names.
CASES: dict[str, Callable[[], Series]] = {
    "plain": plain,
    "reversed": reversed_numbers,
    "shuffled": shuffled,
    "missing": missing,
    "jump": jump,
    "jitter": jitter,
    "duplicate": duplicate,
    "duplicate_differs": duplicate_differs,
    "tilt": tilt,
    "localizer": localizer,
    "other_rows": other_rows,
    "pet": pet,
    "truncated": truncated,
    "time_points": time_points,
    "orientation_jitter": orientation_jitter,
    "no_position": no_position,
    "enhanced": enhanced,
    "enhanced_rle": enhanced_rle,
    "mixed": mixed,
    "not_dicom": not_dicom,
}

#: Series that nobody can make a whole volume of.
BAD: dict[str, Callable[[], Series]] = {
    "empty": empty,
    "bad_rows": bad_rows,
    "bad_bits_allocated": bad_bits_allocated,
    "wrong_bits_allocated": wrong_bits_allocated,
    "bad_codestream": bad_codestream,
    "huge_rows": huge_rows,
    "huge_frames": huge_frames,
}
