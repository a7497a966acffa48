# FrameSpec, decode, decode_file, probe, codecs: see _native.pyi for what they do.

import os
import sys
from array import array

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

cdef extern from "volstream.h" nogil:
    ctypedef struct vs_table:
        const uint16_t* entries
        uint32_t length
        uint32_t channels
        int32_t first

    ctypedef struct vs_frame:
        uint32_t rows
        uint32_t columns
        uint16_t samples_per_pixel
        uint16_t bits_allocated
        uint16_t bits_stored
        uint16_t high_bit
        uint8_t pixel_representation
        uint8_t planar_configuration
        uint8_t is_float
        uint8_t photometric
        uint8_t codec
        uint8_t reduce
        uint8_t allow_truncated
        uint64_t first_bit
        double slope
        double intercept
        const vs_table* table

    ctypedef struct vs_target:
        void* data
        uint64_t size
        uint64_t offset
        uint64_t row_stride
        uint8_t dtype

    ctypedef struct vs_result:
        double minimum
        double maximum
        char message[232]

    ctypedef struct vs_range:
        uint64_t offset
        uint64_t length

    ctypedef struct vs_codestream:
        uint8_t codec
        uint32_t rows
        uint32_t columns
        uint16_t components
        uint16_t precision
        uint8_t is_signed
        uint8_t is_lossy
        uint8_t is_reversible
        uint8_t resolutions
        uint16_t layers
        uint8_t is_resolution_major

    ctypedef struct vs_codec_info:
        const char* name
        const char* library
        const char* version
        const char* floor
        const char* origin
        uint8_t max_bits

    ctypedef enum vs_codec:
        VS_CODEC_COUNT

    vs_status vs_decode(const vs_frame*, const uint8_t*, size_t, const vs_target*, vs_result*)
    ctypedef struct vs_piece:
        const uint8_t* data
        size_t size

    vs_status vs_decode_pieces(const vs_frame*, const vs_piece*, size_t, const vs_target*, vs_result*)
    vs_status vs_decode_file(const vs_frame*, const char*, const vs_range*, size_t, const vs_target*, vs_result*)
    vs_status vs_probe(const uint8_t*, size_t, vs_codestream*)
    const vs_codec_info* vs_codec_get(vs_codec)

# In the order of vs_dtype and vs_photometric.
cdef dict _DTYPES = {
    name: index
    for index, name in enumerate(("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"))
}
cdef dict _PHOTOMETRICS = {
    "MONOCHROME1": 0, "MONOCHROME2": 0, "PALETTE COLOR": 1, "RGB": 2, "YBR_FULL": 3, "YBR_FULL_422": 4, "YBR_ICT": 5,
    "YBR_RCT": 6,
}


def codecs():
    rows = []
    for index in range(VS_CODEC_COUNT):
        info = vs_codec_get(<vs_codec> index)
        rows.append({
            "name": info.name.decode(), "library": info.library.decode(), "version": info.version.decode(),
            "floor": info.floor.decode(), "origin": info.origin.decode(), "max_bits": info.max_bits,
        })
    return rows


cdef dict _CODECS = {row["name"]: index for index, row in enumerate(codecs())}


cdef uint64_t _within(str name, object value, uint64_t largest) except? 0xFFFFFFFFFFFFFFFF:
    """A number of a header as the C structures hold it; what does not fit is damage, not a crash."""
    if not 0 <= value <= largest:
        raise DamagedError(f"{name} is {value}")
    return value


cdef class FrameSpec:
    cdef vs_frame frame
    cdef vs_table table
    cdef bytes entries

    def __init__(
        self, *, codec, rows, columns, bits_allocated, bits_stored, high_bit, pixel_representation=0,
        samples_per_pixel=1, planar_configuration=0, photometric="MONOCHROME2", is_float=False, slope=1.0,
        intercept=0.0, table=None, table_first=0, table_channels=1, reduce=0, allow_truncated=False, first_bit=0,
    ):
        if codec not in _CODECS:
            raise UnsupportedError(f"no codec named {codec!r}")
        if photometric not in _PHOTOMETRICS:
            raise UnsupportedError(f"photometric interpretation {photometric!r}")
        frame = &self.frame
        frame.codec = _CODECS[codec]
        frame.photometric = _PHOTOMETRICS[photometric]
        frame.rows = _within("rows", rows, 0xFFFFFFFF)
        frame.columns = _within("columns", columns, 0xFFFFFFFF)
        frame.bits_allocated = _within("bits allocated", bits_allocated, 0xFFFF)
        frame.bits_stored = _within("bits stored", bits_stored, 0xFFFF)
        frame.high_bit = _within("high bit", high_bit, 0xFFFF)
        frame.pixel_representation = _within("pixel representation", pixel_representation, 0xFF)
        frame.samples_per_pixel = _within("samples per pixel", samples_per_pixel, 0xFFFF)
        frame.planar_configuration = _within("planar configuration", planar_configuration, 0xFF)
        frame.is_float = bool(is_float)
        frame.slope = slope
        frame.intercept = intercept
        frame.reduce = _within("reduce", reduce, 0xFF)
        frame.allow_truncated = bool(allow_truncated)
        frame.first_bit = _within("first bit", first_bit, 0xFFFFFFFFFFFFFFFE)
        if table is None:
            frame.table = NULL
            return
        if table_channels not in (1, 3) or not table or len(table) % (2 * table_channels):
            raise DamagedError(f"lookup table of {len(table)} bytes for {table_channels} channels")
        # A copy as an array of native uint16: bytes objects promise no alignment, and the entries are little endian.
        entries = array("H", bytes(table))
        if sys.byteorder == "big":
            entries.byteswap()
        self.entries = entries.tobytes()
        self.table.entries = <const uint16_t*> <const char*> self.entries
        self.table.channels = table_channels
        self.table.length = len(entries) // table_channels
        if not -0x80000000 <= table_first <= 0x7FFFFFFF:
            raise DamagedError(f"first value mapped by the lookup table is {table_first}")
        self.table.first = table_first
        frame.table = &self.table


cdef class _Buffer:
    """A contiguous buffer, held while it is used."""
    cdef Py_buffer view
    cdef bint is_held

    def __cinit__(self, source, bint writable):
        try:
            PyObject_GetBuffer(source, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        except (BufferError, TypeError, ValueError) as error:
            raise UsageError(f"not a contiguous{' writable' if writable else ''} buffer: {error}") from error
        self.is_held = True

    def __dealloc__(self):
        if self.is_held:
            PyBuffer_Release(&self.view)


cdef int _dtype(name) except -1:
    """A numpy name as vs_dtype."""
    if name not in _DTYPES:
        raise UsageError(f"dtype {name!r} is none of {', '.join(_DTYPES)}")
    return _DTYPES[name]


cdef bytes _path(path):
    cdef bytes name = os.fsencode(path)
    if b"\0" in name:
        raise SourceError("a path with a null character")
    return name


cdef class _Pieces:
    """The bytes of a frame, held while they are used: buffers that follow each other."""
    cdef vs_piece* at
    cdef size_t count
    cdef list held

    def __cinit__(self, tuple buffers):
        cdef size_t i
        self.held = [_Buffer(piece, False) for piece in buffers]
        self.count = len(self.held)
        self.at = <vs_piece*> malloc((self.count + 1) * sizeof(vs_piece))
        if self.at == NULL:
            raise ResourceError("out of memory")
        for i in range(self.count):
            self.at[i].data = <const uint8_t*> (<_Buffer> self.held[i]).view.buf
            self.at[i].size = (<_Buffer> self.held[i]).view.len

    def __dealloc__(self):
        free(self.at)


cdef class _Ranges:
    """Where the bytes of a frame are in a file: (offset, length) of each fragment."""
    cdef vs_range* at
    cdef size_t count

    def __cinit__(self, ranges):
        cdef size_t i
        self.count = len(ranges)
        self.at = <vs_range*> malloc((self.count + 1) * sizeof(vs_range))
        if self.at == NULL:
            raise ResourceError("out of memory")
        for i in range(self.count):
            self.at[i].offset = _within("fragment offset", ranges[i][0], 0x7FFFFFFFFFFFFFFF)
            self.at[i].length = _within("fragment length", ranges[i][1], 0x7FFFFFFFFFFFFFFF)

    def __dealloc__(self):
        free(self.at)


cdef int _aim(vs_target* target, _Buffer buffer, offset, dtype, row_stride) except -1:
    cdef uint8_t kind = _dtype(dtype)
    if not (0 <= offset <= buffer.view.len and 0 <= row_stride <= buffer.view.len):
        raise UsageError(f"offset {offset}, row stride {row_stride} in a target of {buffer.view.len} bytes")
    target.data = buffer.view.buf
    target.size = buffer.view.len
    target.offset = offset
    target.row_stride = row_stride
    target.dtype = kind
    return 0


def decode(FrameSpec spec not None, data, target, offset, dtype, row_stride=0):
    if isinstance(data, tuple):
        return _decode_pieces(spec, data, target, offset, dtype, row_stride)
    cdef _Buffer source = _Buffer(data, False), sink = _Buffer(target, True)
    cdef vs_target aim
    cdef vs_result result
    cdef vs_status status
    _aim(&aim, sink, offset, dtype, row_stride)
    with nogil:
        status = vs_decode(&spec.frame, <const uint8_t*> source.view.buf, source.view.len, &aim, &result)
    if status != VS_OK:
        raise _error(status, result.message)
    return result.minimum, result.maximum


cdef _decode_pieces(FrameSpec spec, tuple data, target, offset, dtype, row_stride):
    cdef _Buffer sink = _Buffer(target, True)
    cdef _Pieces pieces = _Pieces(data)
    cdef vs_target aim
    cdef vs_result result
    cdef vs_status status
    _aim(&aim, sink, offset, dtype, row_stride)
    with nogil:
        status = vs_decode_pieces(&spec.frame, pieces.at, pieces.count, &aim, &result)
    if status != VS_OK:
        raise _error(status, result.message)
    return result.minimum, result.maximum


def decode_file(FrameSpec spec not None, path, ranges, target, offset, dtype, row_stride=0):
    cdef _Buffer sink = _Buffer(target, True)
    cdef bytes name = _path(path)
    cdef const char* c_name = name
    cdef vs_target aim
    cdef vs_result result
    cdef vs_status status
    _aim(&aim, sink, offset, dtype, row_stride)
    cdef _Ranges pieces = _Ranges(ranges)
    with nogil:
        status = vs_decode_file(&spec.frame, c_name, pieces.at, pieces.count, &aim, &result)
    if status != VS_OK:
        raise _error(status, result.message)
    return result.minimum, result.maximum


def probe(data):
    cdef _Buffer source = _Buffer(data, False)
    cdef vs_codestream stream
    cdef vs_status status
    with nogil:
        status = vs_probe(<const uint8_t*> source.view.buf, source.view.len, &stream)
    if status != VS_OK:
        return None
    return {
        "codec": vs_codec_get(<vs_codec> stream.codec).name.decode(), "rows": stream.rows, "columns": stream.columns,
        "components": stream.components, "precision": stream.precision, "is_signed": bool(stream.is_signed),
        "is_lossy": bool(stream.is_lossy), "is_reversible": bool(stream.is_reversible),
        "resolutions": stream.resolutions, "layers": stream.layers,
        "is_resolution_major": bool(stream.is_resolution_major),
    }
