"""Types of the native module. Every call releases the GIL while it works.

Status codes become exceptions in one place: VS_TRUNCATED, VS_CORRUPT and VS_MISMATCH raise DamagedError,
VS_UNSUPPORTED UnsupportedError, VS_RANGE ValueRangeError, VS_IO SourceError, VS_BAD_ARGUMENT and
VS_OUT_OF_BOUNDS UsageError, VS_NO_MEMORY ResourceError.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

from .errors import VolstreamError

Ticket = TypeVar("Ticket")

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
    spec: FrameSpec, data: Buffer | tuple[Buffer, ...], target: Buffer, offset: int, dtype: str, row_stride: int = 0
) -> tuple[float, float]:
    """Decode `data` into `target` at byte `offset`; (minimum, maximum) of what was written.

    `data` is one buffer, or the pieces of one. `target` is any writable buffer, `dtype` a numpy name ("int16").
    Nothing is allocated but scratch memory.

    With `allow_truncated`, a cut JPEG 2000 or HTJ2K codestream whose order is by resolution gives the image of its
    whole packets: exact for a `reduce` that `resolution_ends` says is complete. If some packets for it are not whole,
    the missing details count as zero: smoother, but of the right shape and without noise. Time goes with `reduce`
    (by about four for each), not with the bytes. DamagedError if not even the first packet is whole, UnsupportedError
    if the order is another.
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
    is_reversible, resolutions, layers, is_resolution_major; None if its signature is unknown, or its header not all
    there.

    For JPEG 2000 and HTJ2K, `resolutions` is how many times the image can be halved, and `is_resolution_major` whether
    a prefix of the codestream is a smaller image. `data` may be a prefix that holds the main header.
    """

def resolution_ends(data: Buffer) -> list[int | None] | None:
    """How many bytes of a JPEG 2000 or HTJ2K codestream a decode with each `reduce` needs: `[reduce]` of them.

    Exact, as the codestream's own markers tell; `[0]` is the whole codestream, the last item is for `reduce` equal to
    `resolutions`. An item is None where they do not tell; all is None where they tell nothing, or the data are no such
    codestream. `data` may be a prefix, cut anywhere: what markers beyond its end would tell is not known.
    """

def upsample(
    source: Buffer,
    source_shape: tuple[int, int],
    target: Buffer,
    target_shape: tuple[int, int],
    dtype: str,
    channels: int = 1,
    method: Literal["nearest", "linear"] = "linear",
    offset: int = 0,
    row_stride: int = 0,
) -> None:
    """Spread a frame that was decoded with `reduce` r over its full size, into `target` at byte `offset`.

    Shapes are (rows, columns); `source_shape` must be ceil(n / 2^r) of `target_shape` for one r up to 15. `source`
    holds contiguous samples of the target's `dtype`, `channels` (1 or 3) items a pixel, and must not overlap it.
    Sample i stands at row or column i * 2^r, where the wavelet transform left it. "linear" interpolates between the
    four around, rounds integers to nearest and never leaves the range of its inputs; "nearest" takes the nearest.
    """

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

class Writer:
    """Puts slices of `slice_bytes` bytes into the file of a segment (csrc/writer.h), from any number of threads.

    `descriptor` stays the caller's, and open for as long as this is used; `offset` is the first slice's.
    """

    def __init__(self, board: Board, descriptor: int, offset: int, slice_bytes: int) -> None: ...
    def put(self, index: int, voxels: Buffer, state: int, minimum: float, maximum: float) -> bool:
        """Write and publish; False, and nothing written, if what is there is as good."""

    def write(self, index: int, voxels: Buffer) -> None: ...
    def lock(self, index: int) -> None:
        """Keep others from putting this slice, until `unlock` on the same thread."""

    def unlock(self, index: int) -> None: ...

class DecodeQueue(Generic[Ticket]):
    """Frames that wait to be decoded into their slices, for any number of threads that call `run` (csrc/queue.h).

    A ticket is whatever tells the caller which frame it was.
    """

    @overload
    def put(self, ticket: Ticket) -> None:
        """Something that the core cannot do: it comes back from `run` with UnsupportedError when its turn comes."""

    @overload
    def put(
        self,
        ticket: Ticket,
        spec: FrameSpec,
        writer: Writer,
        index: int,
        state: int,
        dtype: str,
        data: Buffer | tuple[Buffer, ...] | tuple[tuple[int, int], ...],
        path: str | None = None,
    ) -> None:
        """A frame that is to become slice `index`, with this state.

        data: the bytes, which must not change meanwhile; with `path`, (offset, length) of the fragments in that file.
        """

    def run(self) -> list[tuple[Ticket, VolstreamError | None]] | None:
        """Decode, without the GIL, until one has failed; it is the last of those that are returned, with its error.

        Returns too when nothing waits and the caller is hungry, maybe with nothing; or when something is done and the
        caller is eager. None once the queue is closed, even if something waits.
        """

    def done(self) -> list[Ticket]:
        """What has been decoded and not returned yet."""

    def take_back(self) -> list[Ticket]:
        """What nobody has begun, out of the queue; in order."""

    @property
    def waiting(self) -> int:
        """How many nobody has begun."""

    def set_hungry(self, hungry: bool) -> None: ...
    def set_eager(self, eager: bool) -> None: ...
    def close(self) -> None: ...

class HeaderTags:
    """The attributes that `read_header` and `read_json` look for: keyword -> (tag, VR); "XS" stands for US or SS.

    For `read_json`, "px" stands for pixel data: of whichever is there, the keyword becomes the value of "PixelData".
    """

    def __init__(self, tags: Mapping[str, tuple[int, str]]) -> None: ...

class Header:
    """A Part 10 header up to the pixel data.

    If not `is_dicom`, nothing else is set; if `is_deflated`, only what comes before the data set.
    """

    #: keyword -> int, float or a tuple of them (binary numbers), bytes (texts, tables), list of dict (sequences).
    attributes: dict[str, Any]
    transfer_syntax: str
    is_dicom: bool
    is_deflated: bool
    #: As found, whatever the transfer syntax says.
    is_explicit: bool
    is_big_endian: bool
    #: Where the data set begins.
    dataset: int
    #: 0x7FE00008, 0x7FE00009 or 0x7FE00010; 0 if there are no pixel data.
    pixel_tag: int
    pixel_vr: str
    pixel_offset: int
    #: None if the pixel data are encapsulated.
    pixel_length: int | None
    offset_table: bytes
    #: (offset, length, begins like a codestream) of each, None unless encapsulated.
    fragments: list[tuple[int, int, bool]] | None
    #: 0: by a delimiter, 1: the file ends before, 2: something else than an item follows.
    fragments_end: int

def read_header(source: str | Buffer, tags: HeaderTags) -> Header:
    """Read the header of a file (by path) or of a buffer.

    UnsupportedError: a more lenient reader may understand it. SourceError: it cannot be opened or read.
    """

def read_fragments(source: Buffer) -> tuple[bytes, list[tuple[int, int, bool]], int]:
    """Of encapsulated pixel data: Basic Offset Table, fragments, how they end; as in `Header`."""

def read_json(source: Buffer, tags: HeaderTags) -> list[dict[str, Any]]:
    """The attributes of each instance in DICOM JSON (PS3.18 Annex F), UTF-8; as in `Header`, but for these:

    text VRs whose values are numbers are bytes all the same, number VRs whose values are texts are bytes, empty values
    are left out, and binary values may be a str, the address where they are. ProtocolError: it is no such JSON.
    DamagedError: a table cannot be read.
    """

def room(size: int) -> bytearray:
    """Memory to receive into; what it holds until then is undefined."""

class MultipartParser:
    """Splits a multipart/related body while it arrives; see csrc/multipart.h for what it accepts.

    `boundary` may be empty: it is then taken from the first line. Parts larger than `part_limit` bytes, or more
    than `parts_limit` of them, raise ProtocolError. `reserve` bytes are made room for at once where a part does
    not say its length. For one thread at a time; of no use after an error.
    """

    def __init__(self, boundary: bytes, *, part_limit: int, parts_limit: int = 1, reserve: int = 0) -> None: ...
    @property
    def boundary(self) -> bytes: ...
    def feed(self, chunk: Buffer) -> list[tuple[dict[str, str], memoryview]]:
        """The parts that `chunk` completes: header names in lower case, and the body, not copied again."""

    def finish(self) -> None:
        """Raises TruncatedError if the closing boundary has not come."""
