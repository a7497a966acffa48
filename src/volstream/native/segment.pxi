# The live part of a shared segment (csrc/segment.h). Layout and checks are volstream.store's; this trusts them only
# as far as the bounds it is given, which it checks against the mapping.

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "segment.h":
    ctypedef struct vs_live:
        uint32_t sequence
        uint32_t loading
        uint32_t full
        uint32_t failed
        uint32_t covered
    ctypedef struct vs_board:
        vs_live* live
        uint8_t* states
        uint64_t* ranges
        uint32_t slices
    int vs_publish(const vs_board*, uint32_t, uint8_t, double, double) nogil
    int vs_reset(const vs_board*, uint32_t) nogil
    void vs_set_loading(const vs_board*, uint32_t) nogil
    void vs_touch(const vs_board*) nogil
    uint8_t vs_state(const vs_board*, uint32_t) nogil
    uint32_t vs_load_word(const uint32_t*) nogil
    void vs_states(const vs_board*, uint8_t*) nogil
    uint32_t vs_wait(const vs_board*, uint32_t, double) nogil


cdef class Board:
    """States, ranges, counters and sequence of one mapped segment; keeps the mapping alive."""

    cdef Py_buffer _view
    cdef vs_board _board
    cdef readonly bint writable

    def __cinit__(self, mapping, *, uint64_t live, uint64_t states, uint64_t ranges, uint32_t slices, bint writable):
        PyObject_GetBuffer(mapping, &self._view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        cdef uint64_t size = <uint64_t> self._view.len
        cdef char* base = <char*> self._view.buf
        self.writable = writable
        if not (
            live <= size and sizeof(vs_live) <= size - live and live % 4 == 0
            and states <= size and slices <= size - states
            and ranges <= size and 16 * <uint64_t> slices <= size - ranges and ranges % 8 == 0
            and <size_t> base % 8 == 0
        ):
            raise UsageError("the segment's areas lie outside its mapping")
        self._board.live = <vs_live*> (base + live)
        self._board.states = <uint8_t*> (base + states)
        self._board.ranges = <uint64_t*> (base + ranges)
        self._board.slices = slices

    def __dealloc__(self):
        PyBuffer_Release(&self._view)

    cdef int _check_writable(self) except -1:
        if not self.writable:
            raise UsageError("this segment is attached read-only")
        return 0

    cdef uint32_t _index(self, long long index) except? 0xFFFFFFFF:
        if index < 0 or index >= self._board.slices:
            raise UsageError(f"slice {index} is not among the {self._board.slices} of this segment")
        return <uint32_t> index

    @property
    def sequence(self):
        return vs_load_word(&self._board.live.sequence)

    @property
    def loading(self):
        return vs_load_word(&self._board.live.loading)

    @property
    def counters(self):
        """(full, failed, covered)."""
        cdef vs_live* live = self._board.live
        return vs_load_word(&live.full), vs_load_word(&live.failed), vs_load_word(&live.covered)

    def state(self, index):
        return vs_state(&self._board, self._index(index))

    def read_states(self, uint8_t[::1] out not None):
        if out.shape[0] != self._board.slices:
            raise UsageError("the states do not fit")
        if out.shape[0]:
            vs_states(&self._board, &out[0])

    def publish(self, index, uint8_t state, double minimum, double maximum):
        self._check_writable()
        cdef uint32_t slice_index = self._index(index)
        # Not without the GIL: this takes a microsecond, and to have it back can take a thousand.
        return vs_publish(&self._board, slice_index, state, minimum, maximum) != 0

    def reset(self, index):
        self._check_writable()
        return vs_reset(&self._board, self._index(index)) != 0

    def set_loading(self, uint32_t loading):
        self._check_writable()
        vs_set_loading(&self._board, loading)

    def touch(self):
        self._check_writable()
        vs_touch(&self._board)

    def wait(self, uint32_t sequence, double seconds):
        cdef uint32_t now
        with nogil:
            now = vs_wait(&self._board, sequence, seconds)
        return now
