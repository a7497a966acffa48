"""Frames of one instance as if each were an instance: functional groups, RT Dose, nuclear medicine."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from volstream.errors import DamagedError
from volstream.headers.part10 import read_records
from volstream.records import FrameRecord

from .header_factory import ct, encoded


def item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, Sequence(value) if isinstance(value, list) and isinstance(value[0], Dataset) else value)
    return ds


def frames(count: int, **attributes: object) -> list[FrameRecord]:
    ds = ct(NumberOfFrames=count, PixelData=bytes(48 * count))
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
    ds.update(item(**{keyword: value for keyword, value in attributes.items() if value is not None}))
    return read_records(encoded(ds), address="many.dcm")


def test_per_frame_groups_win_over_shared_ones_and_these_over_the_instance() -> None:
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[2, 3], SliceThickness=4)],
        PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=1, RescaleType="US")],
        FrameVOILUTSequence=[item(WindowCenter=[10, 20], WindowWidth=[5, 6])],
        MREchoSequence=[item(EffectiveEchoTime=4.5)],
    )
    own = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            FrameContentSequence=[item(StackID="1", DimensionIndexValues=[1, z + 1], TemporalPositionIndex=1)],
            MRDiffusionSequence=[
                item(
                    DiffusionBValue=1000.0,
                    DiffusionGradientDirectionSequence=[item(DiffusionGradientOrientation=[0.0, 0.5, 1.0])],
                )
            ],
            MRImageFrameTypeSequence=[item(FrameType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"])],
        )
        for z in range(2)
    ]
    own[1].PixelValueTransformationSequence = Sequence([item(RescaleSlope=4, RescaleIntercept=0, RescaleType="US")])
    first, second = frames(
        2, SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=own, ImageType=["DERIVED"]
    )
    assert (first.position, second.position) == ((0, 0, 0), (0, 0, 1))
    assert (first.rescale.slope, second.rescale.slope, second.rescale.type) == (2, 4, "US")
    assert (first.spacing, first.slice_thickness, first.window) == ((2, 3), 4, (10, 5))
    assert first.image_type == ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE")
    assert [record.address for record in (first, second)] == [f"dicomfile:many.dcm?frame={n}" for n in (1, 2)]
    assert second.labels == (
        ("TemporalPositionIndex", 1),
        ("DiffusionBValue", 1000.0),
        ("DiffusionGradientOrientation", "0.0\\0.5\\1.0"),
        ("EffectiveEchoTime", 4.5),
        ("StackID", "1"),
        ("DimensionIndexValues", "1\\2"),
    )


def test_segments_are_labelled() -> None:
    own = [item(SegmentIdentificationSequence=[item(ReferencedSegmentNumber=n)]) for n in (3, 5)]
    records = frames(2, PerFrameFunctionalGroupsSequence=own)
    assert [dict(record.labels)["ReferencedSegmentNumber"] for record in records] == [3, 5]


def test_too_few_functional_groups_are_damage() -> None:
    with pytest.raises(DamagedError, match="1 per-frame functional groups for 2 frames"):
        frames(2, PerFrameFunctionalGroupsSequence=[item(FrameContentSequence=[item(StackID="1")])])


def test_unassigned_attributes_of_converted_objects_count() -> None:
    shared = item(UnassignedSharedConvertedAttributesSequence=[item(EchoTime=30)])
    assert dict(frames(1, SharedFunctionalGroupsSequence=[shared])[0].labels) == {"EchoTime": 30}


@pytest.mark.parametrize(
    ("offsets", "orientation", "places"),
    [
        ([0, 2, 5], [1, 0, 0, 0, 1, 0], [(-1.5, 2, 3.25), (-1.5, 2, 5.25), (-1.5, 2, 8.25)]),
        ([0, 2, 5], [1, 0, 0, 0, -1, 0], [(-1.5, 2, 3.25), (-1.5, 2, 1.25), (-1.5, 2, -1.75)]),
        ([0, 2, 5], [0, 1, 0, 0, 0, 1], [(-1.5, 2, 3.25), (0.5, 2, 3.25), (3.5, 2, 3.25)]),
        ([3.25, 4, 6], [1, 0, 0, 0, -1, 0], [(-1.5, 2, 3.25), (-1.5, 2, 4), (-1.5, 2, 6)]),
    ],
)
def test_dose_planes_are_placed_by_offset_or_coordinate(offsets: object, orientation: object, places: object) -> None:
    records = frames(
        3,
        Modality="RTDOSE",
        GridFrameOffsetVector=offsets,
        ImageOrientationPatient=orientation,
        DoseGridScaling=0.001,
        DoseUnits="GY",
    )
    assert [record.position for record in records] == places
    assert (records[0].rescale.slope, records[0].rescale.intercept, records[0].rescale.type) == (0.001, 0, "GY")
    assert records[0].series.units == "GY"


@pytest.mark.parametrize(
    ("offsets", "orientation", "message"),
    [
        ([1, 2, 3], [1, 0, 0, 0, 1, 0], "begins with 1.0"),
        ([0, 1], [1, 0, 0, 0, 1, 0], "2 values instead of 3"),
        ([3.25, 4, 5], [0, 1, 0, 0, 0, 1], "not transverse"),
    ],
)
def test_dose_offsets_of_neither_form_are_damage(offsets: object, orientation: object, message: str) -> None:
    with pytest.raises(DamagedError, match=message):
        frames(3, GridFrameOffsetVector=offsets, ImageOrientationPatient=orientation)


def detector(z: float) -> Dataset:
    return item(ImagePositionPatient=[0, 0, z], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])


def nuclear(**attributes: object) -> list[FrameRecord]:
    return frames(4, Modality="NM", ImagePositionPatient=None, ImageOrientationPatient=None, **attributes)


@pytest.mark.parametrize("spacing", [5, -5])
def test_reconstructed_slices_follow_the_sign_of_their_spacing(spacing: int) -> None:
    records = nuclear(
        DetectorInformationSequence=[detector(100)],
        SpacingBetweenSlices=spacing,
        SliceVector=[1, 2, 1, 2],
        TimeSlotVector=[1, 1, 2, 2],
    )
    assert [record.position[2] for record in records] == [100, 100 + spacing] * 2
    assert [dict(record.labels)["TimeSlotVector"] for record in records] == [1, 1, 2, 2]


def test_slices_without_spacing_have_no_place_but_the_first() -> None:
    records = nuclear(DetectorInformationSequence=[detector(0)], SliceVector=[1, 2, 3, 4])
    assert [record.position for record in records] == [(0, 0, 0), None, None, None]


def test_each_detector_has_its_place_unless_it_rotates() -> None:
    planar = {"DetectorInformationSequence": [detector(0), detector(9)], "DetectorVector": [1, 1, 2, 2]}
    assert [record.position[2] for record in nuclear(**planar)] == [0, 0, 9, 9]
    turning = nuclear(**planar, RotationVector=[1, 1, 1, 1], AngularViewVector=[1, 2, 1, 2])
    assert [record.position for record in turning] == [None] * 4
    assert [dict(record.labels)["AngularViewVector"] for record in turning] == [1, 2, 1, 2]


def test_a_vector_of_another_length_is_damage() -> None:
    with pytest.raises(DamagedError, match="SliceVector has 3 values instead of 4"):
        nuclear(DetectorInformationSequence=[detector(0)], SliceVector=[1, 2, 3])
