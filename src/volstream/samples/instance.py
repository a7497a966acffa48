"""DICOM objects around frames of stored values: CT, PET and enhanced CT images (PS3.3 A.3, A.21, A.38)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from volstream import syntaxes as ts
from volstream.records import Vector3

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SOP_CLASSES = {
    "ct": "1.2.840.10008.5.1.4.1.1.2",
    "pet": "1.2.840.10008.5.1.4.1.1.128",
    "enhanced": "1.2.840.10008.5.1.4.1.1.2.1",
}
PATIENT_WEIGHT_KG = 75.0
INJECTED_DOSE_BQ = 370e6
HALF_LIFE_S = 6586.2
UPTAKE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Identity:
    """What the instances of a sample series share."""

    kind: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """How values are stored, and what they mean."""

    bits_allocated: int = 16
    bits_stored: int = 12
    signed: bool = False
    slope: float = 1.0
    intercept: float = -1024.0


@dataclass(frozen=True, slots=True)
class Grid:
    """In-plane geometry: PixelSpacing (between rows, between columns) in mm, direction cosines, thickness."""

    rows: int
    columns: int
    spacing: tuple[float, float]
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    thickness: float = 1.0


def uid(*parts: object) -> str:
    """A UID that is always the same for the same parts."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=["volstream", *map(str, parts)]))


def decimal(value: float) -> str:
    """A Decimal String: as exact as its 16 characters allow."""
    text = repr(float(value))
    precision = 15
    while len(text) > 16:
        text, precision = f"{value:.{precision}g}", precision - 1
    return text


def suv_factor() -> float:
    """SUVbw of these PET samples per Bq/ml: weight in g over the dose, decayed to the series time."""
    return float(PATIENT_WEIGHT_KG * 1000 / (INJECTED_DOSE_BQ * 2 ** (-UPTAKE_S / HALF_LIFE_S)))


def single_frame(
    identity: Identity, grid: Grid, values: Values, position: Vector3, *, sop_uid: str, number: int, count: int
) -> Dataset:
    """A CT or PET image at `position` (LPS mm), without pixel data; `number` of `count` instances."""
    image = _common(identity, SOP_CLASSES[identity.kind], sop_uid, number)
    _pixel_module(image, grid, values)
    image.ImagePositionPatient = [decimal(v) for v in position]
    image.ImageOrientationPatient = [decimal(v) for v in grid.orientation]
    image.PixelSpacing = [decimal(v) for v in grid.spacing]
    image.SliceThickness = decimal(grid.thickness)
    image.RescaleIntercept = decimal(values.intercept)
    image.RescaleSlope = decimal(values.slope)
    if identity.kind == "pet":
        _pet_modules(image, number, count)
    else:
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.RescaleType = "HU"
        image.WindowCenter, image.WindowWidth = "40", "400"
        image.KVP, image.ConvolutionKernel, image.GantryDetectorTilt = "120", "STANDARD", "0"
    return image


def enhanced(identity: Identity, grid: Grid, values: Values, positions: Sequence[Vector3], *, sop_uid: str) -> Dataset:
    """An Enhanced CT image with one frame at each position, without pixel data: what frames share in the shared
    functional groups, their positions in the per-frame ones (PS3.3 C.7.6.16)."""
    image = _common(identity, SOP_CLASSES["enhanced"], sop_uid, 1)
    image.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    _pixel_module(image, grid, values)
    image.NumberOfFrames = len(positions)
    spacing = [decimal(v) for v in grid.spacing]
    image.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[_item(PixelSpacing=spacing, SliceThickness=decimal(grid.thickness))],
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[decimal(v) for v in grid.orientation])],
            PixelValueTransformationSequence=[
                _item(RescaleIntercept=decimal(values.intercept), RescaleSlope=decimal(values.slope), RescaleType="HU")
            ],
            FrameVOILUTSequence=[_item(WindowCenter="40", WindowWidth="400")],
        )
    ]
    image.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[decimal(v) for v in position])],
            FrameContentSequence=[
                _item(
                    StackID="1", InStackPositionNumber=index, DimensionIndexValues=[1, index], TemporalPositionIndex=1
                )
            ],
        )
        for index, position in enumerate(positions, 1)
    ]
    return image


def save(path: Path, image: Dataset, frames: Sequence[bytes], transfer_syntax: str) -> None:
    """Write `image` with its encoded frames as a Part 10 file, with a Basic Offset Table if encapsulated."""
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset, validate_file_meta
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    image.file_meta.FileMetaInformationGroupLength = 0  # the right one is put in when it is written
    validate_file_meta(image.file_meta)
    image.preamble = b"\0" * 128
    encapsulated = ts.SYNTAXES[transfer_syntax].encapsulated
    if encapsulated:
        image.PixelData = encapsulate(list(frames))
    else:
        data = b"".join(frames)
        image.PixelData = data + b"\0" * (len(data) % 2)
    # PS3.5 A.1 to A.4: with implicit VR pixel data are always OW, encapsulated always OB.
    wide = image.BitsAllocated > 8 or transfer_syntax == ts.IMPLICIT
    image["PixelData"].VR = "OB" if encapsulated or not wide else "OW"
    image["PixelData"].is_undefined_length = encapsulated  # which pydicom cannot tell for a syntax it does not know
    dcmwrite(
        path,
        image,
        force_encoding=True,  # pydicom 3.0 does not know every syntax of the table
        implicit_vr=transfer_syntax == ts.IMPLICIT,
        little_endian=transfer_syntax != ts.BIG_ENDIAN,
    )


def _item(**elements: Any) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _common(identity: Identity, sop_class: str, sop_uid: str, number: int) -> Dataset:
    return _item(
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=sop_class,
        SOPInstanceUID=sop_uid,
        StudyDate="20240102",
        SeriesDate="20240102",
        AcquisitionDate="20240102",
        ContentDate="20240102",
        StudyTime="102000",
        SeriesTime="103000",
        AcquisitionTime="103000",
        ContentTime="103500",
        AccessionNumber="",
        Modality="PT" if identity.kind == "pet" else "CT",
        Manufacturer="volstream",
        ManufacturerModelName="phantom",
        ReferringPhysicianName="",
        StudyDescription="Synthetic patient",
        SeriesDescription=identity.description,
        PatientName="Phantom^Ellipsoid",
        PatientID="PHANTOM",
        PatientBirthDate="19600101",
        PatientSex="O",
        PatientWeight=decimal(PATIENT_WEIGHT_KG),
        PatientSize="1.78",
        PatientPosition="HFS",
        BodyPartExamined="CHEST",
        StudyInstanceUID=identity.study_uid,
        SeriesInstanceUID=identity.series_uid,
        FrameOfReferenceUID=identity.frame_of_reference_uid,
        PositionReferenceIndicator="",
        StudyID="1",
        SeriesNumber=2 if identity.kind == "pet" else 1,
        AcquisitionNumber=1,
        InstanceNumber=number,
    )


def _pixel_module(image: Dataset, grid: Grid, values: Values) -> None:
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = grid.rows, grid.columns
    image.BitsAllocated, image.BitsStored, image.HighBit = (
        values.bits_allocated,
        values.bits_stored,
        values.bits_stored - 1,
    )
    image.PixelRepresentation = int(values.signed)


def _pet_modules(image: Dataset, number: int, count: int) -> None:
    """PET Series, Isotope and Image modules (PS3.3 C.8.9), with all that SUV needs."""
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.Units, image.CountsSource, image.DecayCorrection = "BQML", "EMISSION", "START"
    image.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    image.SeriesType = ["WHOLE BODY", "IMAGE"]
    image.NumberOfSlices, image.ImageIndex = count, number
    image.ActualFrameDuration, image.FrameReferenceTime, image.DecayFactor = "180000", "0", "1"
    image.WindowCenter, image.WindowWidth = "10000", "20000"
    image.RadiopharmaceuticalInformationSequence = [
        _item(
            Radiopharmaceutical="Fluorodeoxyglucose",
            RadiopharmaceuticalStartTime="093000",
            RadiopharmaceuticalStartDateTime="20240102093000",
            RadionuclideTotalDose=decimal(INJECTED_DOSE_BQ),
            RadionuclideHalfLife=decimal(HALF_LIFE_S),
            RadionuclidePositronFraction="0.967",
        )
    ]
