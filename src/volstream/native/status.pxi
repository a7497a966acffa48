# Status codes of every native call become exceptions here, and nowhere else.

from volstream.errors import (
    DamagedError, ResourceError, SourceError, UnsupportedError, UsageError, ValueRangeError, VolstreamError,
)

cdef extern from "volstream.h":
    ctypedef enum vs_status:
        VS_OK
        VS_TRUNCATED
        VS_CORRUPT
        VS_MISMATCH
        VS_UNSUPPORTED
        VS_RANGE
        VS_IO
        VS_BAD_ARGUMENT
        VS_OUT_OF_BOUNDS
        VS_NO_MEMORY

cdef object _ERRORS = {
    VS_TRUNCATED: DamagedError,
    VS_CORRUPT: DamagedError,
    VS_MISMATCH: DamagedError,
    VS_UNSUPPORTED: UnsupportedError,
    VS_RANGE: ValueRangeError,
    VS_IO: SourceError,
    VS_BAD_ARGUMENT: UsageError,
    VS_OUT_OF_BOUNDS: UsageError,
    VS_NO_MEMORY: ResourceError,
}

cdef object _error(int status, const char* message):
    """The exception for a status that is not VS_OK."""
    return _ERRORS.get(status, DamagedError)((<bytes> message).decode("utf-8", "replace"))
