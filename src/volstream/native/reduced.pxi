# resolution_ends, upsample: see _native.pyi for what they do.

cdef extern from "volstream.h" nogil:
    enum:
        VS_RESOLUTIONS

    ctypedef enum vs_upsampling:
        VS_NEAREST
        VS_LINEAR

    vs_status vs_resolution_ends(const uint8_t*, size_t, uint64_t*, uint32_t*)
    vs_status vs_upsample(
        const void*, size_t, uint32_t, uint32_t, const vs_target*, uint32_t, uint32_t, uint32_t, vs_upsampling, vs_result*
    )

cdef dict _METHODS = {"nearest": VS_NEAREST, "linear": VS_LINEAR}


def resolution_ends(data):
    cdef _Buffer source = _Buffer(data, False)
    cdef uint64_t[VS_RESOLUTIONS] ends
    cdef uint32_t count
    cdef vs_status status
    with nogil:
        status = vs_resolution_ends(<const uint8_t*> source.view.buf, source.view.len, ends, &count)
    if status == VS_UNSUPPORTED:
        return None
    if status != VS_OK:
        raise _error(status, b"out of memory")
    found = [end or None for end in ends[:count]]
    return found if any(found) else None


def upsample(source, source_shape, target, target_shape, dtype, channels=1, method="linear", offset=0, row_stride=0):
    cdef _Buffer samples = _Buffer(source, False), sink = _Buffer(target, True)
    cdef vs_target aim
    cdef vs_result result
    cdef vs_status status
    if method not in _METHODS:
        raise UsageError(f"method {method!r} is none of {', '.join(_METHODS)}")
    if not all(0 < size <= 0xFFFFFFFF for size in (*source_shape, *target_shape, channels)):
        raise UsageError(f"upsampling {source_shape} to {target_shape} with {channels} channels")
    _aim(&aim, sink, offset, dtype, row_stride)
    cdef uint32_t sample_rows = source_shape[0], sample_columns = source_shape[1]
    cdef uint32_t rows = target_shape[0], columns = target_shape[1], items = channels
    cdef vs_upsampling how = _METHODS[method]
    with nogil:
        status = vs_upsample(
            samples.view.buf, samples.view.len, sample_rows, sample_columns, &aim, rows, columns, items, how, &result
        )
    if status != VS_OK:
        raise _error(status, result.message)
