"""What the caller may decide about a series that is not plain. The defaults refuse; none of them loses an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from volstream.errors import UsageError
from volstream.plan.suv import MEASURES

#: Every policy and the words it takes, the default first.
POLICIES: dict[str, tuple[str, ...]] = {
    "gaps": ("raise", "fill"),
    "duplicates": ("raise", "first", "last"),
    "uneven": ("raise", "mean"),
    "strays": ("raise", "drop"),
    "missing_position": ("raise", "drop"),
    "mosaic": ("raise", "plane"),
}


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How to resolve what a series leaves open. Whatever a policy does is listed in `volume.geometry.findings`.

    dtype: numpy name of the voxel type, instead of the one chosen from the headers. Integers are exact in an integer
        type, which raises ValueRangeError at a voxel that does not fit; a float type rounds to the nearest.
    units: of PET, the standardised uptake value to load instead of what is stored: "SUVbw" (body weight, g/ml),
        "SUVlbm", "SUVlbm(James128)", "SUVlbm(Janma)" (lean body mass, g/ml), "SUVbsa" (body surface, cm2/ml), "SUVibw"
        (ideal body weight, g/ml), as PS3.16 CID 85 names and defines them. The voxels become float32. UnsupportedError
        names the element that is missing, DamagedError one that cannot be; the finding "suv" tells the factor.
    fill: value, in real-world units, of voxels that no image covers.
    select: which images to use. A mapping of DICOM keyword to value keeps the images that have these values, e.g.
        `{"SeriesInstanceUID": "1.2.3", "EchoTime": 4.6}`; a number picks one of several stacks, as the error
        that lists them counts.
    gaps: slices or time points that are missing. "fill" leaves their voxels at the fill value.
    duplicates: several images at one place that no label tells apart. "first" or "last" keeps the one with the
        lowest or highest InstanceNumber (then SOP Instance UID).
    uneven: slices that are not evenly spaced on a line. "mean" puts them on an even grid between the outermost
        two, so the affine is only near for the others.
    strays: images that do not belong to the stack holding more than half of all. "drop" leaves them out.
    missing_position: images without Image Position or Orientation (Patient) among others that have both.
        "drop" leaves them out.
    mosaic: Siemens MOSAIC images, each of which tiles a whole volume. "plane" takes each as one plain picture.
    """

    dtype: str | None = None
    units: str | None = None
    fill: float | None = None
    select: int | Mapping[str, Any] | None = None
    gaps: str = "raise"
    duplicates: str = "raise"
    uneven: str = "raise"
    strays: str = "raise"
    missing_position: str = "raise"
    mosaic: str = "raise"

    def __post_init__(self) -> None:
        for name, words in POLICIES.items():
            if getattr(self, name) not in words:
                choices = ", ".join(f'"{word}"' for word in words)
                raise UsageError(f"{name}={getattr(self, name)!r} is unknown; choose one of {choices}")
        if self.units is not None and self.units not in MEASURES:
            choices = ", ".join(f'"{name}"' for name in MEASURES)
            raise UsageError(f"units={self.units!r} is unknown; choose one of {choices}")
        if self.select is not None and (
            isinstance(self.select, bool) or not isinstance(self.select, int | Mapping) or self.select == {}
        ):
            raise UsageError(f"select={self.select!r} is neither a number nor a mapping of DICOM keyword to value")
