"""A JPEG lossless encoder (ISO 10918-1 process 14) for tests: slow and plain, with every option that decoders meet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Table(NamedTuple):
    """A Huffman table: how many codes have 1 to 16 bits, and their categories."""

    lengths: list[int]
    categories: list[int]

    def codes(self) -> dict[int, str]:
        codes, code, index = {}, 0, 0
        for length, count in enumerate(self.lengths, 1):
            for _ in range(count):
                codes[self.categories[index]] = format(code, f"0{length}b")
                code, index = code + 1, index + 1
            code <<= 1
        return codes


#: For noise: the codes of small and large differences are of much the same length.
WIDE = Table(
    [0, 0, 1, 2, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0], [4, 3, 5, 2, 6, 7, 1, 8, 0, 9, 10, 11, 12, 13, 14, 15, 16]
)
#: For calm images: a difference that takes more than twelve bits with its code is rare.
NARROW = Table([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 3, 1], list(range(17)))


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def _predict(predictor: int, left: int, above: int, corner: int) -> int:
    return (
        left,
        above,
        corner,
        left + above - corner,
        left + ((above - corner) >> 1),
        above + ((left - corner) >> 1),
        (left + above) >> 1,
    )[predictor - 1]


def _bits(difference: int, codes: dict[int, str]) -> str:
    """Category and bits of a difference modulo 2^16, F.1.2.1 and H.1.2.2."""
    difference = (difference + 32767) % 65536 - 32767
    category = abs(difference).bit_length()
    if category == 0 or category == 16:
        return codes[category]
    value = difference if difference > 0 else difference + (1 << category) - 1
    return codes[category] + format(value, f"0{category}b")


def _entropy(text: str) -> bytes:
    text += "1" * (-len(text) % 8)
    return int("1" + text, 2).to_bytes(len(text) // 8 + 1, "big")[1:].replace(b"\xff", b"\xff\x00") if text else b""


def encode(
    image: np.ndarray,
    precision: int,
    *,
    predictor: int = 1,
    point_transform: int = 0,
    restart_rows: int = 0,
    separate_scans: bool = False,
    end: bool = True,
    table: Table = WIDE,
) -> bytes:
    """`image` is (rows, columns) or (rows, columns, 3), of unsigned integers."""
    codes = table.codes()
    planes = image.astype(np.int64).reshape(*image.shape[:2], -1) >> point_transform
    rows, columns, components = planes.shape
    frame = bytes([precision, *rows.to_bytes(2, "big"), *columns.to_bytes(2, "big"), components])
    out = b"\xff\xd8" + _segment(0xC3, frame + b"".join(bytes([c + 1, 0x11, 0]) for c in range(components)))
    out += _segment(0xC4, bytes([0, *table.lengths, *table.categories]))
    if restart_rows:
        out += _segment(0xDD, (restart_rows * columns).to_bytes(2, "big"))
    for scan in [[c] for c in range(components)] if separate_scans else [list(range(components))]:
        header = bytes([len(scan)]) + b"".join(bytes([c + 1, 0]) for c in scan)
        out += _segment(0xDA, header + bytes([predictor, 0, point_transform]))
        text = ""
        for y in range(rows):
            first = y == 0 or (restart_rows and y % restart_rows == 0)
            if first and y:
                out += _entropy(text) + bytes([0xFF, 0xD0 + (y // restart_rows - 1) % 8])
                text = ""
            for x in range(columns):
                for c in scan:
                    plane = planes[:, :, c]
                    if first:
                        guess = plane[y, x - 1] if x else 1 << (precision - point_transform - 1)
                    elif x == 0:
                        guess = plane[y - 1, 0]
                    else:
                        guess = _predict(predictor, plane[y, x - 1], plane[y - 1, x], plane[y - 1, x - 1])
                    text += _bits(int(plane[y, x]) - int(guess), codes)
        out += _entropy(text)
    return out + (b"\xff\xd9" if end else b"")
