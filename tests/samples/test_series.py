"""Sample series: what pydicom reads back is what the truth says."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from volstream import syntaxes as ts
from volstream.errors import UnsupportedError, UsageError
from volstream.samples import Truth, available_syntaxes, write_series
from volstream.samples.syntaxes import ENCODERS

SMALL = {"slices": 3, "rows": 48, "columns": 64}
#: pydicom 3.0 has no decoder for these.
UNREAD = {ts.ENCAPSULATED_RAW, ts.JPEG_XL_LOSSLESS}


def read(truth: Truth) -> NDArray[np.float64]:
    """Real-world values through pydicom alone, in order of k."""
    volume = []
    for path in truth.files:
        image = pydicom.dcmread(path)
        stored = image.pixel_array.astype(np.float64)
        volume.append(stored * float(image.RescaleSlope) + float(image.RescaleIntercept))
    return np.stack(volume)


@pytest.mark.parametrize("syntax", [uid for uid in available_syntaxes() if uid not in UNREAD])
def test_each_syntax_reads_back(tmp_path: Path, syntax: str) -> None:
    truth = write_series(tmp_path, transfer_syntax=syntax, **SMALL)
    assert truth.array.dtype == np.int16
    assert np.abs(read(truth) - truth.array).max() <= truth.tolerance
    image = pydicom.dcmread(truth.files[0])
    assert image.file_meta.TransferSyntaxUID == syntax
    assert (image.SOPInstanceUID, image.SeriesInstanceUID) == (truth.uids[0], truth.series_uid)


@pytest.mark.parametrize("syntax", sorted(UNREAD & set(available_syntaxes())))
def test_syntaxes_that_pydicom_cannot_read_hold_one_codestream_each(tmp_path: Path, syntax: str) -> None:
    image = pydicom.dcmread(write_series(tmp_path, transfer_syntax=syntax, **SMALL).files[0])
    assert image.file_meta.TransferSyntaxUID == syntax
    (frame,) = pydicom.encaps.generate_frames(image.PixelData, number_of_frames=1)
    assert (len(frame) == 48 * 64 * 2) == (syntax == ts.ENCAPSULATED_RAW)


@pytest.mark.parametrize("syntax", [uid for uid in available_syntaxes() if ENCODERS[uid].signed and uid not in UNREAD])
def test_signed_values_survive(tmp_path: Path, syntax: str) -> None:
    truth = write_series(tmp_path, transfer_syntax=syntax, signed=True, **SMALL)
    assert truth.array.min() < -900
    assert np.abs(read(truth) - truth.array).max() <= truth.tolerance


def test_pet_has_a_slope_for_each_slice_and_suv_tags(tmp_path: Path) -> None:
    truth = write_series(tmp_path, "pet", **SMALL)
    np.testing.assert_array_equal(read(truth).astype(np.float32), truth.array)
    images = [pydicom.dcmread(path) for path in truth.files]
    assert len({image.RescaleSlope for image in images}) == 3
    isotope = images[0].RadiopharmaceuticalInformationSequence[0]
    decayed = isotope.RadionuclideTotalDose * 2 ** (-3600 / isotope.RadionuclideHalfLife)
    assert truth.suv_factor == pytest.approx(images[0].PatientWeight * 1000 / decayed)
    assert (images[0].Units, images[0].DecayCorrection) == ("BQML", "START")


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (0.8, 0.6, 0, 0, 0, -1)])
def test_affine_is_what_the_headers_say(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    truth = write_series(tmp_path, orientation=orientation, **SMALL)
    for k, path in enumerate(truth.files):
        image = pydicom.dcmread(path)
        rows, columns = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
        expected = (
            np.array(image.ImagePositionPatient, float)
            + rows * image.PixelSpacing[1] * 5
            + columns * (image.PixelSpacing[0] * 7)
        )
        np.testing.assert_allclose((truth.affine @ (5, 7, k, 1))[:3], expected, atol=1e-9)


def test_enhanced_holds_the_same_voxels_in_one_object(tmp_path: Path) -> None:
    plain = write_series(tmp_path / "plain", **SMALL)
    truth = write_series(tmp_path / "enhanced", enhanced=True, transfer_syntax=ts.RLE, **SMALL)
    (path,) = truth.files
    image = pydicom.dcmread(path)
    np.testing.assert_array_equal(image.pixel_array.astype(np.int32) - 1024, plain.array)
    np.testing.assert_array_equal(truth.array, plain.array)
    places = [
        group.PlanePositionSequence[0].ImagePositionPatient[2] for group in image.PerFrameFunctionalGroupsSequence
    ]
    np.testing.assert_allclose(places, [(truth.affine @ (0, 0, k, 1))[2] for k in range(3)])


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first, second, other = (write_series(tmp_path / str(n), seed=seed, **SMALL) for n, seed in enumerate((0, 0, 1)))
    assert [a.read_bytes() for a in first.files] == [b.read_bytes() for b in second.files]
    assert not np.array_equal(first.array, other.array)


def test_ct_and_pet_of_a_seed_share_patient_space_and_nothing_else(tmp_path: Path) -> None:
    ct, pet = (write_series(tmp_path / kind, kind, **SMALL) for kind in ("ct", "pet"))
    images = [pydicom.dcmread(truth.files[0]) for truth in (ct, pet)]
    assert (
        len({image.FrameOfReferenceUID for image in images}) == len({image.StudyInstanceUID for image in images}) == 1
    )
    assert not {*ct.uids, ct.series_uid} & {*pet.uids, pet.series_uid}


@pytest.mark.parametrize(("noise", "strength"), [(None, 12), (4.5, 4.5)])
def test_noise_is_white_and_of_scanner_strength(tmp_path: Path, noise: float | None, strength: float) -> None:
    truth = write_series(tmp_path, slices=2, noise=noise)
    air = truth.array[:, :40, :40].astype(float)  # outside the body, above the couch
    assert air.mean() == pytest.approx(-1000, abs=1)
    assert air.std() == pytest.approx(strength, rel=0.08)
    assert abs(np.corrcoef(air[:, :, 1:].ravel(), air[:, :, :-1].ravel())[0, 1]) < 0.1
    assert not np.array_equal(air[0], air[1])


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("mr", {}, UsageError),
        ("pet", {"enhanced": True}, UsageError),
        ("pet", {"noise": 5.0}, UsageError),
        ("ct", {"noise": -1.0}, UsageError),
        ("ct", {"signed": True, "transfer_syntax": ts.JPEG_LS_NEAR}, UsageError),
        ("ct", {"transfer_syntax": "1.2.3"}, UnsupportedError),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, kind: str, options: dict[str, object], error: type) -> None:
    with pytest.raises(error):
        write_series(tmp_path, kind, **options)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())
