"""Attributes to records: the one place where a `FrameRecord` is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from volstream.errors import VolstreamError
from volstream.headers import pixels
from volstream.headers.frames import frame_attributes, frame_count
from volstream.headers.labels import labels
from volstream.headers.pet import pet_info
from volstream.headers.values import Attributes, integer, lenient, number, shared, text, texts, vector
from volstream.records import FrameRecord, Location, PixelFormat, SeriesInfo, Vector3

#: Given the layout and number of frames: the bytes of each frame.
Locate: TypeAlias = "Callable[[PixelFormat, int], Sequence[Location | None]]"


@shared(
    "SpecificCharacterSet", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "Modality", "FrameOfReferenceUID",
    "VolumeFrameOfReferenceUID", "SeriesDescription", "Manufacturer", "PatientPosition", "Units", "DoseUnits",
    "PetInfo",
)  # fmt: skip
def series_info(attributes: Attributes) -> SeriesInfo:
    def get(keyword: str) -> str:
        return text(attributes, keyword)

    return SeriesInfo(
        study_uid=get("StudyInstanceUID"),
        series_uid=get("SeriesInstanceUID"),
        sop_class_uid=get("SOPClassUID"),
        modality=get("Modality"),
        frame_of_reference_uid=get("FrameOfReferenceUID") or get("VolumeFrameOfReferenceUID"),
        description=get("SeriesDescription"),
        manufacturer=get("Manufacturer"),
        patient_position=get("PatientPosition"),
        units=get("Units") or get("DoseUnits"),
        pet=attributes.get("PetInfo"),
    )


@shared("PixelSpacing", "SliceThickness", "SpacingBetweenSlices")
def _measures(attributes: Attributes) -> tuple[tuple[float, float] | None, float | None, float | None]:
    spacing = cast("tuple[float, float] | None", vector(attributes, "PixelSpacing", 2))
    return spacing, lenient(number, attributes, "SliceThickness"), lenient(number, attributes, "SpacingBetweenSlices")


@shared("ImageOrientationPatient", "ImageOrientationVolume")
def _orientation(attributes: Attributes) -> tuple[float, float, float, float, float, float] | None:
    found = vector(attributes, "ImageOrientationPatient", 6) or vector(attributes, "ImageOrientationVolume", 6)
    return cast("tuple[float, float, float, float, float, float] | None", found)


def uid_of(attributes: Attributes) -> str:
    return text(attributes, "SOPInstanceUID") or text(attributes, "MediaStorageSOPInstanceUID")


def build_records(
    attributes: Attributes, transfer_syntax: str, address: Callable[[int, int], str], locate: Locate
) -> list[FrameRecord]:
    """One record a frame. `address` makes an imageId of a frame (from 0) and the number of frames."""
    try:
        return _build(attributes, transfer_syntax, address, locate)
    except VolstreamError as error:
        raise error.located(uid=uid_of(attributes) or None) from None


def _build(
    attributes: Attributes, transfer_syntax: str, address: Callable[[int, int], str], locate: Locate
) -> list[FrameRecord]:
    count = frame_count(attributes)
    pixel = pixels.pixel_format(attributes)
    locations = locate(pixel, count)
    pet = pet_info(attributes)
    series = series_info(attributes | {"PetInfo": pet} if pet else attributes)
    uid = uid_of(attributes)
    instance_number = lenient(integer, attributes, "InstanceNumber")
    records = []
    for frame, own in enumerate(frame_attributes(attributes, count)):
        spacing, thickness, between = _measures(own)
        position = vector(own, "ImagePositionPatient", 3) or vector(own, "ImagePositionVolume", 3)
        records.append(
            FrameRecord(
                uid=uid,
                frame=frame,
                frames=count,
                address=address(frame, count),
                transfer_syntax=transfer_syntax,
                series=series,
                pixel=pixel,
                position=cast("Vector3 | None", position),
                orientation=_orientation(own),
                spacing=spacing,
                slice_thickness=thickness,
                spacing_between_slices=between,
                rescale=pixels.rescale(own),
                padding=pixels.padding(own),
                window=pixels.window(own),
                instance_number=instance_number,
                image_type=texts(own, "FrameType") or texts(own, "ImageType"),
                labels=labels(own),
                location=locations[frame],
            )
        )
    return records
