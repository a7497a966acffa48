"""What the headers say, as plain frozen data.

`headers/` makes these from Part 10 files and DICOM JSON, `plan/` reads them, `fetch/` fetches what their
addresses name. One `FrameRecord` stands for one frame of one SOP instance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Vector3: TypeAlias = tuple[float, float, float]


class FileRange(NamedTuple):
    """Where a frame's bytes lie in a file: (offset, length) of each fragment, in order."""

    path: str
    ranges: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        return sum(length for _, length in self.ranges)


#: Where a frame's encoded bytes are, if no request is needed: in a file, or already in memory.
Location: TypeAlias = "FileRange | bytes | bytearray | memoryview"


class Payload(NamedTuple):
    """A frame's encoded bytes, as a source delivers them, and how they are encoded.

    A tuple holds pieces that follow each other, as they came in: joining them is left to the native core.
    """

    data: Location | tuple[memoryview, ...]
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A Modality LUT (one channel) or a palette (three). PS3.3 C.11.1.1, C.7.6.3.1.5."""

    first: int
    #: Entries, channel after channel: `channels * length` little-endian uint16 values.
    entries: bytes
    bits: int
    channels: int = 1

    @property
    def length(self) -> int:
        return len(self.entries) // (2 * self.channels)


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel module: how stored values are laid out. PS3.3 C.7.6.3."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int = 0
    samples_per_pixel: int = 1
    planar_configuration: int = 0
    photometric: str = "MONOCHROME2"
    #: True for Float and Double Float Pixel Data (7FE0,0008), (7FE0,0009).
    is_float: bool = False
    palette: LookupTable | None = None

    @property
    def frame_bits(self) -> int:
        """Size of one uncompressed frame, in bits."""
        # YBR_FULL_422 stores two of each four chrominance samples away: 2 bytes a pixel instead of 3.
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples_per_pixel
        return self.rows * self.columns * samples * self.bits_allocated

    @property
    def frame_bytes(self) -> int:
        """The same in bytes, rounded up."""
        return (self.frame_bits + 7) // 8


@dataclass(frozen=True, slots=True)
class Rescale:
    """Stored values to real-world values. PS3.3 C.11.1; `type` is RescaleType or ModalityLUTType."""

    slope: float = 1.0
    intercept: float = 0.0
    type: str = ""
    table: LookupTable | None = None


IDENTITY = Rescale()


@dataclass(frozen=True, slots=True)
class Injection:
    """An item of the Radiopharmaceutical Information Sequence (0054,0016). PS3.3 C.8.9.2."""

    #: Radionuclide Total Dose, Bq, and Half Life, s; None where they are absent or no number.
    dose: float | None = None
    half_life: float | None = None
    #: Radiopharmaceutical Start DateTime (DT) and Start Time (TM), as they are written.
    start: str = ""
    start_time: str = ""


@dataclass(frozen=True, slots=True)
class PetInfo:
    """What standardised uptake values are computed from, as the headers have it: times are texts. PS3.3 C.8.9.

    One object for all instances of a series, as long as they agree and midnight does not fall among them.
    """

    corrected: tuple[str, ...] = ()
    decay_correction: str = ""
    suv_type: str = ""
    #: Patient's Weight, kg, Size, m, and Sex.
    weight: float | None = None
    size: float | None = None
    sex: str = ""
    series_date: str = ""
    series_time: str = ""
    timezone: str = ""
    injections: tuple[Injection, ...] = ()
    #: When the scan began, (0009,100D) of GE: DT.
    ge_scan_start: str = ""
    #: SUV per count, and Bq/ml per count, (7053,1000) and (7053,1009) of Philips.
    philips_suv: float | None = None
    philips_activity: float | None = None
    #: Number of Slices, of which the whole series is.
    slices: int | None = None
    #: Of the image itself; it stands here since it changes at midnight at most.
    acquisition_date: str = ""


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What the instances of one series share; equal instances share one object."""

    study_uid: str = ""
    series_uid: str = ""
    sop_class_uid: str = ""
    modality: str = ""
    frame_of_reference_uid: str = ""
    description: str = ""
    manufacturer: str = ""
    patient_position: str = ""
    #: Units (0054,1001) of PET, or DoseUnits (3004,0002) of RTDOSE.
    units: str = ""
    #: Of PET alone.
    pet: PetInfo | None = None


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One frame: identity, address, layout, place in the patient, meaning of its values."""

    uid: str
    #: Frame number within the instance, from 0, and how many frames that instance has.
    frame: int
    frames: int
    #: The imageId, e.g. `dicomfile:/data/1.dcm?frame=1`, `wadors:https://host/.../frames/1`.
    address: str
    #: Transfer syntax of the stored object; empty where the metadata do not tell.
    transfer_syntax: str
    series: SeriesInfo
    pixel: PixelFormat
    #: Image Position and Image Orientation (Patient): LPS mm, and row then column direction cosines. None if absent.
    position: Vector3 | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    #: Pixel Spacing, mm: between rows, between columns.
    spacing: tuple[float, float] | None = None
    slice_thickness: float | None = None
    spacing_between_slices: float | None = None
    rescale: Rescale = IDENTITY
    #: Pixel Padding Value and Range Limit, stored values.
    padding: tuple[int, int] | None = None
    #: Window Center and Width of the first VOI window.
    window: tuple[float, float] | None = None
    instance_number: int | None = None
    image_type: tuple[str, ...] = ()
    #: What tells apart frames at the same place: (keyword, value), e.g. ("EchoTime", 4.6).
    labels: tuple[tuple[str, str | float | int], ...] = ()
    #: Where the encoded bytes are without a request; None for remote frames.
    location: Location | None = field(default=None, compare=False)


class Finding(NamedTuple):
    """Something about a series that a careful reader should know; kept in `volume.geometry.findings`."""

    #: A short fixed name: "gap", "duplicate", "tilt", "stray", "uneven", "rows", "no-position", "time", ...
    kind: str
    message: str
    uids: tuple[str, ...] = ()
