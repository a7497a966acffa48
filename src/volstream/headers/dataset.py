"""pydicom datasets to records. pydicom is imported only when it is needed: for what the native reader leaves."""

from __future__ import annotations

import io
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from volstream import _native
from volstream.errors import DamagedError, NotDicomError, VolstreamError
from volstream.headers.build import build_records
from volstream.headers.locate import Data, PixelData, extended_table
from volstream.headers.part10 import file_address
from volstream.headers.pixeldata import Fragments
from volstream.headers.tags import KEYWORDS, TAGS
from volstream.headers.values import Attributes
from volstream.records import FrameRecord
from volstream.syntaxes import BIG_ENDIAN, EXPLICIT, IMPLICIT, SYNTAXES

if TYPE_CHECKING:
    from pydicom import Dataset

_NUMBERS = ("DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "XS")


def from_dataset(dataset: Dataset, *, address: str = "memory") -> list[FrameRecord]:
    """The records of a dataset in memory, which refer to its pixel data; none if it is no image.

    Errors are those of `read_records`.
    """
    try:
        keyword = next((k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in dataset), None)
        if keyword is None or dataset[keyword].value is None:
            return []
        meta = getattr(dataset, "file_meta", None)
        attributes = dataset_attributes(meta if meta is not None else {}) | dataset_attributes(dataset)
        attributes["PixelData"] = keyword
        data: bytes = dataset[keyword].value
        syntax = _syntax(dataset, keyword)
        known = SYNTAXES.get(syntax)
        if known is not None and not known.encapsulated:
            pixel_data = PixelData(data, syntax, 0, len(data))
        else:
            pixel_data = PixelData(
                data, syntax, 0, None, Fragments(*_native.read_fragments(data), *extended_table(attributes))
            )
        return build_records(attributes, syntax, partial(file_address, address), pixel_data.locate)
    except VolstreamError as error:
        raise error.located(address=address) from None


def read_leniently(source: str | Data, name: str) -> list[FrameRecord]:
    """A file, or a file's bytes, that only pydicom can read; all of it comes into memory."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = dcmread(source if isinstance(source, str) else io.BytesIO(source))
            return from_dataset(dataset, address=name)
    except VolstreamError:
        raise
    except InvalidDicomError:
        raise NotDicomError("not a DICOM file") from None
    except Exception as error:  # pydicom lets through whatever its parts raise
        raise DamagedError(f"the header cannot be read: {error}") from error


def dataset_attributes(dataset: Dataset | dict[int, Any]) -> Attributes:
    """The wanted attributes of a dataset, in the one form that records are built from."""
    found: Attributes = {}
    for tag in dataset.keys():  # noqa: SIM118 - iterating over a Dataset converts every element
        keyword = KEYWORDS.get(int(tag))
        if keyword is None:
            continue
        try:
            value = _value(dataset[tag].value, TAGS[keyword][1])
        except (ValueError, TypeError, OverflowError) as error:
            raise DamagedError(f"{keyword}: {error}") from None
        if value is not None:
            found[keyword] = value
    # pydicom has decoded the texts.
    return found | {"SpecificCharacterSet": b"ISO_IR 192"}


def _value(value: Any, vr: str) -> Any:
    if value is None or isinstance(value, bytes):
        return value
    if vr == "SQ":
        return [dataset_attributes(item) for item in value]
    several = isinstance(value, (list, tuple)) or (hasattr(value, "__iter__") and not isinstance(value, str))
    if vr[0] == "O":  # a table whose words pydicom has read as numbers
        return b"".join(int(word).to_bytes(2, "little", signed=word < 0) for word in (value if several else [value]))
    if vr in _NUMBERS and not isinstance(value, str):
        convert = int if vr in ("US", "SS", "UL", "SL", "UV", "SV", "XS", "IS") else float
        return tuple(convert(number) for number in value) if several else convert(value)
    return "\\".join(map(str, value) if several else [str(value)]).encode()


def _syntax(dataset: Dataset, keyword: str) -> str:
    """The transfer syntax; without file meta information, the encoding that pydicom has found."""
    meta = getattr(dataset, "file_meta", None)
    syntax = str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""
    if not syntax:
        is_implicit, is_little = getattr(dataset, "original_encoding", (None, None))
        syntax = BIG_ENDIAN if is_little is False else EXPLICIT if is_implicit is False else IMPLICIT
    return EXPLICIT if syntax == BIG_ENDIAN and dataset[keyword].VR == "OB" else syntax
