# multipart.h: bodies are handed over without a copy.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free

from volstream.errors import ProtocolError, TruncatedError

cdef extern from "multipart.h" nogil:
    ctypedef struct vs_multipart:
        pass
    ctypedef struct vs_multipart_limits:
        uint64_t part
        uint64_t parts
        uint64_t reserve
    ctypedef struct vs_part:
        char* headers
        size_t headers_size
        uint8_t* body
        size_t body_size
    vs_multipart* vs_multipart_new(const char* boundary, size_t size, const vs_multipart_limits* limits)
    void vs_multipart_free(vs_multipart* parser)
    vs_status vs_multipart_feed(vs_multipart* parser, const uint8_t* data, size_t size)
    int vs_multipart_take(vs_multipart* parser, vs_part* part)
    vs_status vs_multipart_finish(vs_multipart* parser)
    const char* vs_multipart_message(const vs_multipart* parser)
    const char* vs_multipart_boundary(const vs_multipart* parser, size_t* size)


cdef extern from "Python.h":
    object PyByteArray_FromStringAndSize(const char*, Py_ssize_t)


def room(Py_ssize_t size):
    return PyByteArray_FromStringAndSize(NULL, size)


cdef class _Body:
    """Owns the memory of one part."""
    cdef uint8_t* data
    cdef Py_ssize_t size

    def __dealloc__(self):
        free(self.data)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.size, 1, flags)


cdef class MultipartParser:
    cdef vs_multipart* parser
    cdef bint busy

    def __cinit__(self, bytes boundary, *, uint64_t part_limit, uint64_t parts_limit=1, uint64_t reserve=0):
        cdef vs_multipart_limits limits = vs_multipart_limits(part_limit, parts_limit, reserve)
        if len(boundary) > 70:
            raise ProtocolError("the boundary is longer than 70 characters")
        self.parser = vs_multipart_new(boundary, len(boundary), &limits)
        if self.parser is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.parser is not NULL:
            vs_multipart_free(self.parser)

    @property
    def boundary(self):
        cdef size_t size
        cdef const char* text = vs_multipart_boundary(self.parser, &size)
        return text[:size]

    def feed(self, chunk):
        cdef Py_buffer view
        cdef vs_status status
        cdef vs_part part
        cdef _Body body
        if self.busy:
            raise UsageError("a MultipartParser serves one thread at a time")
        PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE)
        self.busy = True
        with nogil:
            status = vs_multipart_feed(self.parser, <const uint8_t*> view.buf, view.len)
        self.busy = False
        PyBuffer_Release(&view)
        parts = []
        while vs_multipart_take(self.parser, &part):
            body = _Body.__new__(_Body)
            body.data = part.body
            body.size = part.body_size
            headers = _part_headers(part.headers[:part.headers_size])
            free(part.headers)
            parts.append((headers, memoryview(body)))
        if status != VS_OK:
            raise self._failure(status)
        return parts

    def finish(self):
        cdef vs_status status = vs_multipart_finish(self.parser)
        if status != VS_OK:
            raise self._failure(status)

    cdef object _failure(self, vs_status status):
        message = (<bytes> vs_multipart_message(self.parser)).decode("utf-8", "replace")
        if status == VS_TRUNCATED:
            return TruncatedError(message)
        return ResourceError(message) if status == VS_NO_MEMORY else ProtocolError(message)


cdef dict _part_headers(bytes block):
    """Names in lower case; a line that starts with a blank continues the one before (RFC 5322 section 2.2.3)."""
    headers = {}
    name = None
    for line in block.decode("latin-1").splitlines():
        if line[:1] in (" ", "\t"):
            if name is not None:
                headers[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = value.strip()
    return headers
