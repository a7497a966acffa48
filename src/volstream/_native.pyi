"""Types of the native module. Every call releases the GIL while it works.

Status codes become exceptions in one place: VS_TRUNCATED, VS_CORRUPT and VS_MISMATCH raise DamagedError,
VS_UNSUPPORTED UnsupportedError, VS_RANGE ValueRangeError, VS_IO SourceError, VS_BAD_ARGUMENT and
VS_OUT_OF_BOUNDS UsageError, VS_NO_MEMORY ResourceError.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

class FrameSpec:
    """How one frame is encoded and what its values mean; immutable, checked once, shared by equal frames."""

    def __init__(
        self,
        *,
        codec: str,
        rows: int,
        columns: int,
        bits_allocated: int,
        bits_stored: int,
        high_bit: int,
        pixel_representation: int = 0,
        samples_per_pixel: int = 1,
        planar_configuration: int = 0,
        photometric: str = "MONOCHROME2",
        is_float: bool = False,
        slope: float = 1.0,
        intercept: float = 0.0,
        table: bytes | None = None,
        table_first: int = 0,
        table_channels: int = 1,
        reduce: int = 0,
        allow_truncated: bool = False,
        first_bit: int = 0,
    ) -> None: ...

def decode(
    spec: FrameSpec, data: Buffer, target: Buffer, offset: int, dtype: str, row_stride: int = 0
) -> tuple[float, float]:
    """Decode `data` into `target` at byte `offset`; (minimum, maximum) of what was written.

    `target` is any writable buffer, `dtype` a numpy name ("int16"). Nothing is allocated but scratch memory.
    """

def decode_file(
    spec: FrameSpec,
    path: str,
    ranges: Sequence[tuple[int, int]],
    target: Buffer,
    offset: int,
    dtype: str,
    row_stride: int = 0,
) -> tuple[float, float]:
    """As `decode`, reading the (offset, length) fragments of `path` first, in order, joined."""

def probe(data: Buffer) -> dict[str, Any] | None:
    """What a codestream says of itself: codec, rows, columns, components, precision, is_signed, is_lossy,
    is_reversible, resolutions; None if its signature is unknown."""

def codecs() -> list[dict[str, Any]]:
    """One row a codec: name, library, version, floor, origin ("own", "system", "bundled", "absent"), max_bits."""

class Board:
    """The words of a mapped segment that change, by offset (csrc/segment.h); keeps the mapping alive."""

    writable: bool
    def __init__(
        self, mapping: Buffer, *, live: int, states: int, ranges: int, slices: int, writable: bool
    ) -> None: ...
    @property
    def sequence(self) -> int: ...
    @property
    def loading(self) -> int: ...
    @property
    def counters(self) -> tuple[int, int, int]: ...
    def state(self, index: int) -> int: ...
    def read_states(self, out: npt.NDArray[np.uint8]) -> None: ...
    def publish(self, index: int, state: int, minimum: float, maximum: float) -> bool: ...
    def reset(self, index: int) -> bool: ...
    def set_loading(self, loading: int) -> None: ...
    def touch(self) -> None: ...
    def wait(self, sequence: int, seconds: float) -> int: ...
    def prefault(self, offset: int, length: int) -> None: ...
