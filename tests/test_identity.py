"""imageIds and volumeIds: what they tell, and which are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volstream.errors import UsageError
from volstream.identity import FrameKey, ImageId, VolumeId

UIDS = st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}", fullmatch=True)


@given(study=UIDS, series=UIDS, instance=UIDS, frame=st.integers(1, 10**6))
def test_one_image_over_two_transports(study: str, series: str, instance: str, frame: int) -> None:
    by_rs = ImageId.parse(
        f"wadors:https://host:8080/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frame}?t=1"
    )
    by_uri = ImageId.parse(
        f"wadouri:https://old/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}"
        f"&frame={frame}"
    )
    assert by_rs.scheme, by_uri.scheme == ("wadors", "wadouri")
    for parsed in (by_rs, by_uri):
        assert (parsed.study, parsed.series, parsed.instance, parsed.frame) == (study, series, instance, frame)
        assert parsed.instance_key == parsed.key == FrameKey(instance, frame)
    assert by_rs != by_uri
    assert len({by_rs.key, by_uri.key}) == 1


def test_what_an_id_does_not_tell_is_empty() -> None:
    object_alone = ImageId.parse("wadouri:http://h/wado?objectUID=1.2")
    assert (object_alone.study, object_alone.series, object_alone.frame) == ("", "", None)
    assert object_alone.instance_key == FrameKey("1.2", None)
    without_study = ImageId.parse("wadors:http://h/series/3/instances/4/frames/5")
    assert (without_study.study, without_study.series, without_study.instance) == ("", "3", "4")
    other = ImageId.parse("mine:7/8?frame=9")
    assert (other.scheme, other.instance_key, other.key) == ("mine", None, "mine:7/8?frame=9")


def test_a_file_is_known_by_its_absolute_path() -> None:
    here = str(Path.cwd() / "a.dcm")
    assert ImageId.parse("dicomfile:a.dcm").key == ImageId.parse(f"dicomfile:{here}").key == FrameKey(here, None)
    assert ImageId.parse("dicomfile:./a.dcm?frame=3").key == FrameKey(here, 3)
    assert ImageId.parse("dicomfile:link/../a.dcm").key != FrameKey(here, None), "a link may lead elsewhere"
    assert ImageId.parse("dicomfile:a.dcm").instance_key is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "scan",
        ":scan",
        "scan:",
        "C:/slice.dcm",
        "/data/slice.dcm",
        "wadors:https://h/studies/1/series/2/instances/3",
        "wadors:https://h/studies/1/series/2/instances/3/frames/0",
        "wadors:https://h/studies/1/series/x/instances/3/frames/1",
        "wadouri:https://h/wado?requestType=WADO",
        "wadouri:https://h/wado?objectUID=..%2F..",
        "wadouri:https://h/wado?objectUID=1.2&frame=0",
        "wadouri:https://h/wado?objectUID=1.2&frame=last",
        "dicomfile:a.dcm?frame=0",
        None,
        3,
    ],
)
def test_what_is_no_image_id(text: object) -> None:
    with pytest.raises(UsageError):
        ImageId.parse(text)  # type: ignore[arg-type]


def test_secrets_are_not_shown() -> None:
    text = "wadors:https://user:secret@h/series/1/instances/2/frames/{}?token=secret"
    assert "secret" not in repr(ImageId.parse(text.format(1)))
    for wrong in (text.format(0), "scan//user:secret@h?token=secret", "wadouri://user:secret@h/wado?token=secret"):
        with pytest.raises(UsageError) as error:
            ImageId.parse(wrong)
        assert "secret" not in str(error.value)


def test_volume_ids() -> None:
    parsed = VolumeId.parse("cornerstoneStreamingImageVolume:scan:1")
    assert (parsed.scheme, parsed.name) == ("cornerstoneStreamingImageVolume", "scan:1")
    assert str(parsed) == "cornerstoneStreamingImageVolume:scan:1"
    for wrong in ("scan", "", "volume:", None):
        with pytest.raises(UsageError, match="no volumeId"):
            VolumeId.parse(wrong)  # type: ignore[arg-type]
