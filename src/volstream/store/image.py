"""A slice as an image: pixels, and what is known about them alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..identity import IN_MEMORY, ImageKey
from ..records import IDENTITY, FrameRecord, PixelFormat, Rescale, SeriesInfo, Vector3
from .layout import image_shape
from .meaning import ImageMeaning, keys_of
from .states import FULL

if TYPE_CHECKING:
    from .._native import Board
    from .volume import Volume


@dataclass(frozen=True, eq=False, kw_only=True)
class Image:
    """One slice. What `Volume.image` gives is a view: no copy, and it keeps the volume's memory alive, also after the
    volume is closed. `copy` gives an image of its own. Image loaders make them too; only `pixels` must be given.
    """

    #: (rows, columns), colour last, in `units`; read-only where the volume is attached.
    pixels: npt.NDArray[Any] = field(repr=False)
    image_id: str | None = field(default=None, repr=False)  # it may hold a token
    #: Of the slice in the volume that it is a view on.
    index: int | None = None
    #: Centre of pixel (0, 0), LPS mm; direction cosines of a row, then of a column (PS3.3 C.7.6.2.1.1).
    position: Vector3 | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    #: Of pixel centres along a row, then down a column, mm: i first, as in `Volume.spacing`.
    spacing: tuple[float, float] | None = None
    #: Center and width of the first window, in `units`.
    window: tuple[float, float] | None = None
    #: How pixels were made from stored values; None where a table was applied.
    rescale: Rescale | None = IDENTITY
    #: numpy name of the type of stored values; empty if it is not known.
    stored_dtype: str = ""
    units: str = ""
    photometric: str = "MONOCHROME2"
    #: SOP Instance UID, the frame's number in the instance (from 1), and how many that has.
    uid: str = ""
    frame: int = 1
    frames: int = 1
    #: The header, where this process has read it.
    record: FrameRecord | None = field(default=None, repr=False)
    _board: Board | None = field(default=None, repr=False)
    _state: int = field(default=FULL, repr=False)
    #: Least and greatest pixel; live in a view.
    _range: npt.NDArray[np.float64] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pixels.shape

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes

    @property
    def is_view(self) -> bool:
        """It lies in a volume's memory."""
        return self._board is not None

    @property
    def inverted(self) -> bool:
        """MONOCHROME1: the least value is meant to be white. Pixels are as stored."""
        return self.photometric == "MONOCHROME1"

    @property
    def state(self) -> int:
        """0 pending, 1 to 7 provisional, 8 full quality, 255 failed; live in a view."""
        if self._board is None or self.index is None:
            return self._state
        return self._board.state(self.index)

    @property
    def min(self) -> float:
        """Least pixel; NaN if it is not known, or not yet."""
        return self._extreme(0)

    @property
    def max(self) -> float:
        """Greatest pixel; NaN if it is not known, or not yet."""
        return self._extreme(1)

    def stored(self) -> npt.NDArray[Any]:
        """The values as the instance stores them. UsageError where that cannot be undone, or is not known."""
        if self.rescale is None or not self.stored_dtype or (self.pixels.ndim == 3 and self.photometric != "RGB"):
            raise UsageError("how this image's pixels were made cannot be undone", uid=self.uid or None)
        slope, intercept = self.rescale.slope, self.rescale.intercept
        values = (self.pixels.astype(np.float64) - intercept) / slope
        kind, own = np.dtype(self.stored_dtype), self.pixels.dtype
        if kind.kind == "f":
            return values.astype(kind)
        if own.kind == "f" and np.abs(self.pixels / slope).max() * np.finfo(own).eps >= 1:
            raise UsageError(f"{own} has rounded this image's stored values away", uid=self.uid or None)
        return np.rint(values).astype(kind)

    def copy(self) -> Image:
        """An image of its own: pixels in private memory, state as it is now."""
        return replace(
            self,
            pixels=self.pixels.copy(),
            index=None,
            _board=None,
            _state=self.state,
            _range=np.array([self.min, self.max]),
        )

    @property
    def keys(self) -> set[ImageKey]:
        """What it may be asked for by."""
        return keys_of(self.image_id, self.uid, self.frame, self.frames)

    def header(self) -> FrameRecord:
        """What a plan needs to know: the header as read, or one that describes the pixels as they are."""
        if self.record is not None:
            return self.record
        if self.image_id is None:
            raise UsageError("an image without an imageId cannot become part of a volume")
        kind = self.pixels.dtype
        colour = self.pixels.ndim == 3
        spacing = self.spacing and (self.spacing[1], self.spacing[0])
        return FrameRecord(
            uid=self.uid or self.image_id,
            frame=self.frame - 1,
            frames=self.frames,
            address=self.image_id,
            transfer_syntax="",
            series=SeriesInfo(units=self.units),
            pixel=PixelFormat(
                rows=self.shape[0],
                columns=self.shape[1],
                bits_allocated=8 * kind.itemsize,
                bits_stored=8 * kind.itemsize,
                high_bit=8 * kind.itemsize - 1,
                pixel_representation=int(kind.kind == "i"),
                samples_per_pixel=3 if colour else 1,
                photometric="RGB" if colour else self.photometric,
                is_float=kind.kind == "f",
            ),
            position=self.position,
            orientation=self.orientation,
            spacing=spacing,
            window=self.window,
        )

    def _extreme(self, end: int) -> float:
        return math.nan if self._range is None else float(self._range[end])


def view(volume: Volume, index: int) -> Image:
    """A slice of a volume as an image."""
    segment = volume.segment
    meaning = ImageMeaning.of(volume.metadata, index)
    shape = image_shape(volume.shape, segment.slices)
    position: Vector3 | None = None
    orientation = None
    has_geometry = "affine" in volume.metadata  # segments that others make need none
    if has_geometry and volume.geometry.is_placed:
        x, y, z = (volume.affine @ (0, 0, index % volume.shape[-1 - len(shape)], 1))[:3].tolist()
        # An uneven series is only near its affine; its images know where they are.
        position = meaning.position or (x, y, z)
        row, column = volume.direction[:, 0].tolist(), volume.direction[:, 1].tolist()
        orientation = (*row, *column)
    return Image(
        pixels=segment.array.reshape(segment.slices, *shape)[index],
        image_id=_id_at(volume, index),
        index=index,
        position=position,
        orientation=orientation,
        spacing=volume.spacing[:2] if has_geometry else None,
        window=meaning.window,
        rescale=meaning.rescale,
        stored_dtype=meaning.stored,
        units=volume.units,
        photometric=meaning.photometric,
        uid=meaning.uid,
        frame=meaning.frame,
        frames=meaning.frames,
        record=volume.record(index),
        _board=segment.board,
        _range=segment.ranges[index],
    )


def extremes(pixels: npt.NDArray[Any]) -> tuple[float, float]:
    """Least and greatest pixel; NaN only if there is nothing else."""
    return float(np.fmin.reduce(pixels, axis=None)), float(np.fmax.reduce(pixels, axis=None))


def keys_at(volume: Volume, index: int) -> set[ImageKey]:
    """What the image of a slice may be asked for by."""
    meaning = ImageMeaning.of(volume.metadata, index)
    return keys_of(_id_at(volume, index), meaning.uid, meaning.frame, meaning.frames)


def _id_at(volume: Volume, index: int) -> str | None:
    """The imageId of a slice, if it has one that means something elsewhere."""
    image_id = volume.image_id(index)
    return None if image_id is None or image_id.startswith(IN_MEMORY) else image_id
