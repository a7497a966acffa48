# The Part 10 header reader: entries become a plain dict by keyword.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from os import fsencode

cdef extern from "part10.h":
    ctypedef struct vs_wanted:
        uint32_t tag
        char vr[2]
    ctypedef enum vs_entry_kind:
        VS_VALUE
        VS_SEQUENCE
        VS_ITEM
        VS_END
    ctypedef struct vs_entry:
        uint8_t kind
        char vr[2]
        uint32_t wanted
        uint32_t length
        uint64_t offset
    ctypedef struct vs_fragment:
        uint64_t offset
        uint64_t length
        uint8_t starts
    ctypedef struct vs_header:
        const vs_entry *entries
        size_t count
        const uint8_t *values
        uint64_t dataset
        char transfer_syntax[65]
        uint8_t is_dicom, is_deflated, is_explicit, is_big_endian
        uint32_t pixel_tag
        char pixel_vr[2]
        uint64_t pixel_offset, pixel_length
        const uint8_t *offset_table
        uint32_t offset_table_length
        const vs_fragment *fragments
        size_t fragment_count
        uint8_t fragments_end
        char message[232]
    const uint64_t VS_UNDEFINED_LENGTH
    vs_status vs_read_header_file(const char *, const vs_wanted *, size_t, vs_header **) nogil
    vs_status vs_read_header(const uint8_t *, size_t, const vs_wanted *, size_t, vs_header **) nogil
    vs_status vs_read_fragments(const uint8_t *, size_t, vs_header **) nogil
    void vs_header_free(vs_header *) nogil


cdef class HeaderTags:
    """The attributes that `read_header` looks for: a mapping of keyword to (tag, VR); see _native.pyi."""

    cdef vs_wanted *table
    cdef size_t count
    cdef list keywords

    def __cinit__(self, tags):
        rows = sorted((tag, vr.encode("ascii"), keyword) for keyword, (tag, vr) in tags.items())
        self.keywords = [keyword for _, _, keyword in rows]
        self.count = len(rows)
        self.table = <vs_wanted *> malloc(max(1, self.count) * sizeof(vs_wanted))
        if self.table is NULL:
            raise MemoryError
        for index, (tag, vr, _) in enumerate(rows):
            self.table[index].tag = tag
            self.table[index].vr[0] = vr[0]
            self.table[index].vr[1] = vr[1]

    def __dealloc__(self):
        free(self.table)


cdef class Header:
    """What `read_header` found; see _native.pyi."""

    cdef readonly dict attributes
    cdef readonly str transfer_syntax, pixel_vr
    cdef readonly bint is_dicom, is_deflated, is_explicit, is_big_endian
    cdef readonly object dataset, pixel_tag, pixel_offset, pixel_length
    cdef readonly bytes offset_table
    cdef readonly list fragments
    cdef readonly int fragments_end


cdef inline object _numbers(const uint8_t *p, size_t length, size_t width, int kind):
    """Little endian words of `kind` u, i, f or t (tag): one number, or a tuple of them."""
    cdef size_t n = length // width, i
    cdef uint16_t u16
    cdef int16_t i16
    cdef uint32_t u32
    cdef int32_t i32
    cdef uint64_t u64
    cdef int64_t i64
    cdef float f32
    cdef double f64
    cdef list out = []
    for i in range(n):
        if kind == c'u' and width == 2:
            memcpy(&u16, p, 2)
            out.append(u16)
        elif kind == c'i' and width == 2:
            memcpy(&i16, p, 2)
            out.append(i16)
        elif kind == c'u' and width == 4:
            memcpy(&u32, p, 4)
            out.append(u32)
        elif kind == c'i' and width == 4:
            memcpy(&i32, p, 4)
            out.append(i32)
        elif kind == c'f' and width == 4:
            memcpy(&f32, p, 4)
            out.append(f32)
        elif kind == c'f' and width == 8:
            memcpy(&f64, p, 8)
            out.append(f64)
        elif kind == c'u' and width == 8:
            memcpy(&u64, p, 8)
            out.append(u64)
        elif kind == c'i' and width == 8:
            memcpy(&i64, p, 8)
            out.append(i64)
        else:  # a tag: group, then element
            memcpy(&u16, p, 2)
            u32 = <uint32_t> u16 << 16
            memcpy(&u16, p + 2, 2)
            out.append(u32 | u16)
        p += width
    return out[0] if n == 1 else tuple(out)


cdef object _value(const vs_entry *entry, const uint8_t *values, const vs_wanted *wanted):
    cdef const uint8_t *p = values + entry.offset
    cdef char a = entry.vr[0], b = entry.vr[1]
    if wanted.vr[0] == c'O':  # tables stay bytes, whatever the file calls them
        return (<const char *> p)[:entry.length]
    if (a == c'U' or a == c'X') and b == c'S':
        return _numbers(p, entry.length, 2, c'u')
    if a == c'S' and b == c'S':
        return _numbers(p, entry.length, 2, c'i')
    if a == c'F':
        return _numbers(p, entry.length, 8 if b == c'D' else 4, c'f')
    if b == c'L' and (a == c'U' or a == c'S'):
        return _numbers(p, entry.length, 4, c'u' if a == c'U' else c'i')
    if b == c'V' and (a == c'U' or a == c'S'):
        return _numbers(p, entry.length, 8, c'u' if a == c'U' else c'i')
    if a == c'A' and b == c'T':
        return _numbers(p, entry.length, 4, c't')
    return (<const char *> p)[:entry.length]


cdef dict _data_set(const vs_header *header, HeaderTags tags, size_t *index):
    """Entries from `index` on, up to the end of the item that holds them."""
    cdef dict out = {}
    cdef const vs_entry *entry
    cdef list items
    while index[0] < header.count:
        entry = &header.entries[index[0]]
        index[0] += 1
        if entry.kind == VS_END:
            break
        if entry.kind == VS_VALUE:
            out[tags.keywords[entry.wanted]] = _value(entry, header.values, &tags.table[entry.wanted])
        else:
            items = []
            while header.entries[index[0]].kind == VS_ITEM:
                index[0] += 1
                items.append(_data_set(header, tags, index))
            index[0] += 1
            out[tags.keywords[entry.wanted]] = items
    return out


cdef list _fragments(const vs_header *header):
    cdef size_t i
    return [
        (header.fragments[i].offset, header.fragments[i].length, bool(header.fragments[i].starts))
        for i in range(header.fragment_count)
    ]


cdef Header _header(const vs_header *raw, HeaderTags tags):
    cdef Header out = Header.__new__(Header)
    cdef size_t index = 0
    out.attributes = _data_set(raw, tags, &index)
    out.transfer_syntax = (<const char *> raw.transfer_syntax).decode("ascii", "replace")
    out.is_dicom = raw.is_dicom
    out.is_deflated = raw.is_deflated
    out.is_explicit = raw.is_explicit
    out.is_big_endian = raw.is_big_endian
    out.dataset = raw.dataset
    out.pixel_tag = raw.pixel_tag
    out.pixel_vr = (<const char *> raw.pixel_vr)[:2].decode("ascii", "replace") if raw.pixel_tag else ""
    out.pixel_offset = raw.pixel_offset
    out.pixel_length = None if raw.pixel_length == VS_UNDEFINED_LENGTH else raw.pixel_length
    out.offset_table = (<const char *> raw.offset_table)[:raw.offset_table_length]
    out.fragments = _fragments(raw) if raw.pixel_length == VS_UNDEFINED_LENGTH else None
    out.fragments_end = raw.fragments_end
    return out


def read_header(source, HeaderTags tags not None):
    cdef vs_header *raw = NULL
    cdef vs_status status
    cdef const uint8_t[::1] view
    cdef const uint8_t *data = NULL
    cdef const char *name
    cdef size_t size
    cdef bytes path
    if isinstance(source, str):
        path = fsencode(source)
        if b"\0" in path:
            raise SourceError("the path holds a NUL character")
        name = path
        with nogil:
            status = vs_read_header_file(name, tags.table, tags.count, &raw)
    else:
        view = source
        size = view.shape[0]
        if size:
            data = &view[0]
        with nogil:
            status = vs_read_header(data, size, tags.table, tags.count, &raw)
    try:
        if status != VS_OK:
            raise MemoryError if raw is NULL else _error(status, raw.message)
        return _header(raw, tags)
    finally:
        vs_header_free(raw)


def read_fragments(source):
    cdef vs_header *raw = NULL
    cdef vs_status status
    cdef const uint8_t[::1] view = source
    cdef const uint8_t *data = NULL
    cdef size_t size = view.shape[0]
    if size:
        data = &view[0]
    with nogil:
        status = vs_read_fragments(data, size, &raw)
    try:
        if status != VS_OK:
            raise MemoryError if raw is NULL else _error(status, raw.message)
        return (<const char *> raw.offset_table)[:raw.offset_table_length], _fragments(raw), raw.fragments_end
    finally:
        vs_header_free(raw)
