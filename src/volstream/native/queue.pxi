# Writer and DecodeQueue: see _native.pyi, csrc/writer.h and csrc/queue.h.

from cpython.ref cimport Py_DECREF, Py_INCREF

cdef extern from "writer.h" nogil:
    ctypedef struct vs_writer:
        pass
    vs_writer* vs_writer_new(const vs_board*, int, uint64_t, uint64_t)
    void vs_writer_free(vs_writer*)
    void vs_writer_lock(vs_writer*, uint32_t)
    void vs_writer_unlock(vs_writer*, uint32_t)
    vs_status vs_writer_put(vs_writer*, uint32_t, const void*, uint8_t, double, double, int*, vs_result*)
    vs_status vs_writer_write(vs_writer*, uint32_t, const void*, vs_result*)

cdef extern from "queue.h" nogil:
    ctypedef struct vs_job:
        vs_job* next
        void* owner
        const vs_frame* frame
        vs_writer* writer
        uint32_t index
        uint8_t state
        uint8_t dtype
        const vs_piece* pieces
        size_t piece_count
        const char* path
        const vs_range* ranges
        size_t range_count
    ctypedef struct vs_queue:
        pass
    ctypedef enum vs_turn:
        VS_TURN_CLOSED
        VS_TURN_FAILED
    vs_queue* vs_queue_new()
    void vs_queue_free(vs_queue*)
    void vs_queue_put(vs_queue*, vs_job*)
    vs_turn vs_queue_run(vs_queue*, vs_job**, vs_status*, vs_result*)
    vs_job* vs_queue_done(vs_queue*)
    vs_job* vs_queue_take_back(vs_queue*)
    size_t vs_queue_waiting(vs_queue*)
    void vs_queue_hungry(vs_queue*, int)
    void vs_queue_eager(vs_queue*, int)
    void vs_queue_close(vs_queue*)


cdef class Writer:
    cdef vs_writer* writer
    cdef Board board
    cdef uint64_t slice_bytes

    def __cinit__(self, Board board not None, int descriptor, uint64_t offset, uint64_t slice_bytes):
        self.board = board
        self.slice_bytes = slice_bytes
        self.writer = vs_writer_new(&board._board, descriptor, offset, slice_bytes)
        if self.writer is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.writer is not NULL:
            vs_writer_free(self.writer)

    cdef _Buffer _slice(self, voxels):
        self.board._check_writable()
        cdef _Buffer source = _Buffer(voxels, False)
        if <uint64_t> source.view.len != self.slice_bytes:
            raise UsageError(f"{source.view.len} bytes for a slice of {self.slice_bytes} bytes")
        return source

    def put(self, index, voxels, uint8_t state, double minimum, double maximum):
        cdef _Buffer source = self._slice(voxels)
        cdef uint32_t slice_index = self.board._index(index)
        cdef vs_result result
        cdef vs_status status
        cdef int taken = 0
        with nogil:
            status = vs_writer_put(
                self.writer, slice_index, source.view.buf, state, minimum, maximum, &taken, &result
            )
        if status != VS_OK:
            raise _error(status, result.message).located(index=index)
        return taken != 0

    def write(self, index, voxels):
        cdef _Buffer source = self._slice(voxels)
        cdef uint32_t slice_index = self.board._index(index)
        cdef vs_result result
        cdef vs_status status
        with nogil:
            status = vs_writer_write(self.writer, slice_index, source.view.buf, &result)
        if status != VS_OK:
            raise _error(status, result.message).located(index=index)

    def lock(self, index):
        cdef uint32_t slice_index = self.board._index(index)
        with nogil:
            vs_writer_lock(self.writer, slice_index)

    def unlock(self, index):
        vs_writer_unlock(self.writer, self.board._index(index))


cdef class _Job:
    """Keeps everything that its job points to; the queue owns a reference while it has the job."""
    cdef vs_job job
    cdef object ticket
    cdef tuple held

    cdef int aim(self, FrameSpec spec, Writer writer, index, uint8_t state, dtype) except -1:
        writer.board._check_writable()
        self.job.frame = &spec.frame
        self.job.writer = writer.writer
        self.job.index = writer.board._index(index)
        self.job.state = state
        self.job.dtype = _dtype(dtype)
        return 0

    cdef tuple point_at_file(self, path, ranges):
        cdef bytes name = _path(path)
        cdef _Ranges pieces = _Ranges(ranges)
        self.job.path = name
        self.job.ranges = pieces.at
        self.job.range_count = pieces.count
        return name, pieces

    cdef tuple point_at_memory(self, data):
        cdef _Pieces pieces = _Pieces(data if isinstance(data, tuple) else (data,))
        self.job.pieces = pieces.at
        self.job.piece_count = pieces.count
        return (pieces,)


cdef list _tickets(vs_job* job):
    """Of a chain of jobs that the queue gives back."""
    cdef list tickets = []
    cdef _Job owner
    while job is not NULL:
        owner = <_Job> job.owner
        job = job.next
        tickets.append(owner.ticket)
        Py_DECREF(owner)
    return tickets


cdef class DecodeQueue:
    cdef vs_queue* queue

    def __cinit__(self):
        self.queue = vs_queue_new()
        if self.queue is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.queue is not NULL:
            self.take_back()
            self.done()
            vs_queue_free(self.queue)

    def put(
        self, ticket, FrameSpec spec=None, Writer writer=None, index=0, uint8_t state=0, dtype=None, data=None, path=None
    ):
        cdef _Job job = _Job.__new__(_Job)
        job.ticket = ticket
        if spec is not None:
            if writer is None:
                raise UsageError("a frame without a writer")
            job.aim(spec, writer, index, state, dtype)
            where = job.point_at_memory(data) if path is None else job.point_at_file(path, data)
            job.held = spec, writer, where
        job.job.owner = <void*> job
        Py_INCREF(job)
        vs_queue_put(self.queue, &job.job)

    def run(self):
        cdef vs_job* failed = NULL
        cdef vs_status status
        cdef vs_result result
        cdef vs_turn turn
        with nogil:
            turn = vs_queue_run(self.queue, &failed, &status, &result)
        if turn == VS_TURN_CLOSED:
            return None
        finished = [(ticket, None) for ticket in self.done()]
        if turn == VS_TURN_FAILED:
            finished.append((_tickets(failed)[0], _error(status, result.message)))
        return finished

    def done(self):
        return _tickets(vs_queue_done(self.queue))

    def take_back(self):
        return _tickets(vs_queue_take_back(self.queue))

    @property
    def waiting(self):
        return vs_queue_waiting(self.queue)

    def set_hungry(self, bint hungry):
        vs_queue_hungry(self.queue, hungry)

    def set_eager(self, bint eager):
        vs_queue_eager(self.queue, eager)

    def close(self):
        vs_queue_close(self.queue)
