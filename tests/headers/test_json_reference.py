"""The native reader of DICOM JSON against Python's json and plain Python, on all that is JSON and much that is not."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from volstream.errors import DamagedError, ProtocolError, VolstreamError
from volstream.headers.dicomjson import parse_json

from .json_reference import BY_TAG, reference


def outcome(read: Any, data: bytes) -> tuple[Any, ...]:
    """What is read, types and all (repr tells -0.0, NaN and 1 from 1.0), or the kind of error."""
    try:
        instances = read(data)
    except VolstreamError as error:
        return type(error), error.message if isinstance(error, DamagedError) else ""
    return tuple(plain(instance) for instance in instances)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {keyword: plain(each) for keyword, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else repr(value)


def agrees(data: bytes) -> None:
    assert outcome(parse_json, data) == outcome(reference, data), data


# --- JSON texts ------------------------------------------------------------------------------------------------------

spaces = st.sampled_from(["", "", "", " ", "\n", "\t\r\n  "])
characters = st.one_of(
    st.characters(min_codepoint=0x20, exclude_characters='"\\', codec="utf-8"),
    st.sampled_from([r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"]),
    st.sampled_from([r"\u0041", r"\u00E9", r"\u20ac", r"\uD83D\uDE00", r"\ud800", r"\uDFFF", r"\uD83D\\", "\ud83d"]),
)
strings = st.lists(characters, max_size=8).map(lambda parts: '"' + "".join(parts) + '"')
numbers = st.one_of(
    st.integers(-70000, 70000).map(str),
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(["0", "-0", "999999999999999999", "-99999999999999999", "9223372036854775808"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "2.2250738585072011e-308"]),
)
scalars = st.one_of(
    st.sampled_from(["null", "true", "false"]), strings, numbers, st.sampled_from(['"1"', '" 2 "', '"AAEC"', '"QQ=="'])
)


@st.composite
def lists(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    return "[" + ",".join(draw(spaces) + value + draw(spaces) for value in draw(st.lists(values, max_size=4))) + "]"


@st.composite
def objects(draw: st.DrawFn, names: st.SearchStrategy[str], values: st.SearchStrategy[str], most: int = 4) -> str:
    """Names may come twice."""
    pairs = draw(st.lists(st.tuples(names, values), max_size=most))
    members = (f"{draw(spaces)}{name}{draw(spaces)}:{draw(spaces)}{value}{draw(spaces)}" for name, value in pairs)
    return "{" + (",".join(members) or draw(spaces)) + "}"


anything = st.recursive(scalars, lambda inner: lists(inner) | objects(strings, inner), max_leaves=6)
tags = st.sampled_from(sorted(BY_TAG))
#: Some tags often, so that they repeat; some in lower case, escaped, or of nothing that is known.
names = st.one_of(
    st.sampled_from(["00280010", "00080018", "0008103E", "0008103e", "00283006", "00209116", "52009230", "7FE00010"]),
    tags,
    tags.map(str.lower),
    tags.map(lambda tag: rf"\u00{ord(tag[0]):02x}{tag[1:]}"),
    st.sampled_from(["00091001", "0028001", "002800100", "0028001G", "", "x"]),
).map(lambda name: f'"{name}"')
members = st.sampled_from(['"Value"'] * 6 + ['"InlineBinary"', '"BulkDataURI"', '"vr"', '"value"', r'"Valu\u0065"'])


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 0) -> str:
    values = scalars | lists(scalars) | lists(numbers) | lists(st.integers(0, 65535).map(str)) | anything
    if depth < 3:
        values |= lists(data_sets(depth + 1)) | data_sets(depth + 1) | lists(data_sets(depth + 1) | scalars)
    return draw(objects(names, objects(members, values, 3) | anything, 6))


responses = data_sets() | lists(data_sets()) | lists(data_sets() | scalars)


@given(responses, spaces, spaces)
def test_it_reads_what_plain_python_reads(text: str, before: str, after: str) -> None:
    agrees((before + text + after).encode("utf-8", "surrogatepass"))


@st.composite
def series(draw: st.DrawFn) -> str:
    """Instances that share most of their text, as those of a series do."""
    values = objects(members, scalars | lists(scalars) | lists(data_sets(2)), 2) | scalars | anything
    pool = draw(st.lists(st.tuples(names, values).map(":".join), min_size=1, max_size=5))
    pool += ['"x":1', '"x":12', '"00280010":{"Value":[1]}', '"00280010":{"Value":[1]} ', '"00280010": 1']
    instances = draw(st.lists(st.lists(st.sampled_from(pool), max_size=6), max_size=6))
    return "[" + ",".join("{" + ",".join(instance) + "}" for instance in instances) + "]"


@given(series())
@example('[{"x":1},{"x":12},{"x":1}]')
@example('[{"00280010":{"Value":[1]}},{"00280010":{"Value":[1]}},{},{"00280010":{"Value":[1]}}]')
@example('[{"00280010":{"Value":[1]},"00280010":{"Value":[2]}},{"00280010":{"Value":[1]}},{"00280010":{"Value":[1]}}]')
@example('[{"00280010":{"Value":[2]}},{"00280010":{"Value":[2]},"00280010":1},{"00280010":{"Value":[2]}}]')
def test_what_instances_share_is_read_once_but_told_for_each(text: str) -> None:
    agrees(text.encode("utf-8", "surrogatepass"))


def test_many_instances_are_read_in_several_goes() -> None:
    """Each go leaves off behind some thousands of values, and the next knows the instance before all the same."""
    instances = [
        {"00280010": {"Value": [n // 1000]}, "00280011": {"Value": [4]}, "0008103E": {"Value": ["é" * (n % 3)]}}
        | {"00200032": {"Value": [0.1, n, -n / 7]}}
        for n in range(5000)
    ]
    agrees(json.dumps(instances).encode())
    long = [
        {"00200032": {"Value": [0.5] * 40000}, "00280010": {"Value": [4]}},
        {"00200032": {"Value": [0.5] * 50000}, "00280010": {"Value": [5]}},
    ]
    agrees(json.dumps(long).encode())


@given(responses, st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]))
def test_other_encodings_are_recognized(text: str, encoding: str) -> None:
    agrees(text.encode(encoding, "surrogatepass"))


@given(anything)
def test_what_is_not_wanted_is_checked_all_the_same(text: str) -> None:
    data = f'[{{"00091001": {text}, "00280010": {{"Value": [5]}}}}]'.encode("utf-8", "surrogatepass")
    assert parse_json(data) == [{"Rows": 5, "SpecificCharacterSet": b"ISO_IR 192"}]


@given(responses, st.data())
def test_damage_is_refused_where_plain_python_refuses_it(text: str, data: st.DataObject) -> None:
    body = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        byte = data.draw(st.integers(0, 255) | st.sampled_from(list(b'"\\{}[]:,.-+eEu0 \n')))
        kind = data.draw(st.sampled_from(["replace", "insert", "cut"]))
        body[at : at + (kind == "replace") if kind != "cut" else None] = bytes([byte])
    if not bytes(body[:4]).strip(b"\0").startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        agrees(bytes(body))


# --- Single cases -----------------------------------------------------------------------------------------------------


def rows(text: str) -> Any:
    return parse_json(f'{{"00280010": {{"Value": [{text}]}}}}'.encode())[0].get("Rows")


@given(numbers)
@example("0." + "1" * 400)
@example("1" * 4300)
@example("0.1e-0")
def test_numbers_are_python_s(text: str) -> None:
    assert repr(rows(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    ["01", "-", "-a", "+1", ".5", "1.", "1.e5", "1e", "1e+", "--1", "0x1", "1_0", "NAN", "nan", "inf", "-NaN", "Inf",
     "tru", "nul", "True", "'x'", '"', '"\\"', '"\\x"', '"\\u12"', '"\\u12G4"', '"\t"', '"\0"', "[", "{", "[,]", "[1,]",
     "{,}", '{"a"}', '{"a":}', '{"a":1,}', "{1:2}", "[1 2]", "[1}", '{"a":1]', "1,", "/**/1", ""],
)  # fmt: skip
@pytest.mark.parametrize(
    "where", ['{{"00280010": {{"Value": {}}}}}', '{{"x": {}}}', '[{{"00280010": {}}}]', "[{{}}, {}]"]
)
def test_what_is_no_json_is_refused_by_its_place(text: str, where: str) -> None:
    with pytest.raises(ProtocolError, match=r"the metadata are not (JSON: .* at byte \d+|a list of instances)"):
        parse_json(where.format(text).encode())


@pytest.mark.parametrize(
    "damaged",
    [b"\x80", b"\xc3", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\x80", b"\xf0\x8f\x80\x80", b"\xf4\x90\x80\x80",
     b"\xf5\x80\x80\x80", b"\xff", b"\xe2\x82", b"\xe2(\xa1", b"\xed\xa0"],
)  # fmt: skip
def test_texts_must_be_utf8(damaged: bytes) -> None:
    for data in (b'{"x": "' + damaged + b'"}', b'{"0008103E": {"Value": ["' + damaged + b'"]}}', b"{}" + damaged):
        with pytest.raises(ProtocolError, match=r"not JSON: .* at byte \d"):
            parse_json(data)
        agrees(data)


def test_the_place_of_an_error_is_told() -> None:
    with pytest.raises(ProtocolError, match=r"not JSON: ',' or '\]' should be at byte 32 \(at here\)"):
        parse_json(b'[{"00280010": {"Value": ["\xc3\xa4\xc3\xa4" 5]}}]', address="here")


def test_what_is_not_wanted_may_be_nested_but_not_without_bounds() -> None:
    def nested(depth: int) -> bytes:
        return b'{"00091001": ' + b"[" * depth + b"]" * depth + b"}"

    assert parse_json(nested(1024)) == [{"SpecificCharacterSet": b"ISO_IR 192"}]
    for depth in (1025, 1 << 20):
        with pytest.raises(ProtocolError, match="nested deeper than 1024"):
            parse_json(nested(depth))


@pytest.mark.parametrize("depth", [64, 65])
def test_sequences_nest_as_deep_as_in_files(depth: int) -> None:
    text = "{}"
    for _ in range(depth):
        text = f'{{"52009229": {{"Value": [{text}]}}}}'
    agrees(text.encode())
    agrees(f'{{"52009229": {text}, "52009229": 1}}'.encode())  # overwritten, so of no consequence


def test_what_is_overwritten_is_of_no_consequence() -> None:
    table = '"00283006": {"InlineBinary": "@"}'
    with pytest.raises(DamagedError, match=r"LUTData is not base64 \(instance 1\.2, at here\)"):
        parse_json(f'[{{"00080018": {{"Value": ["1.2"]}}, {table}}}]'.encode(), address="here")
    for last in ("null", "{}", '{"Value": [1]}', '{"InlineBinary": "@", "InlineBinary": "AAA="}'):
        agrees(f'{{{table}, "00283006": {last}}}'.encode())


def test_integers_of_thousands_of_digits_are_refused() -> None:
    with pytest.raises(ProtocolError, match="an integer of 5000 digits"):
        rows("1" * 5000)


@pytest.mark.parametrize(
    "data", [bytearray(b'[{"00280010": {"Value": [5]}}]'), memoryview(b'{"00280010":{"Value":5}}')]
)
def test_any_buffer_will_do(data: bytearray | memoryview) -> None:
    assert parse_json(data) == [{"Rows": 5, "SpecificCharacterSet": b"ISO_IR 192"}]
    assert parse_json(bytes(data)) == parse_json(data)
