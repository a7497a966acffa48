# dicomjson.h: nodes become the attributes of each instance, in the same form as those of a Part 10 header.

from base64 import b64decode

from cpython.ref cimport PyObject

cdef extern from "Python.h":
    double PyOS_string_to_double(const char *text, char **end, PyObject *overflow) except? -1.0

cdef extern from "dicomjson.h" nogil:
    ctypedef enum vs_json_kind:
        VS_JSON_NULL
        VS_JSON_FALSE
        VS_JSON_TRUE
        VS_JSON_INTEGER
        VS_JSON_LONG_INTEGER
        VS_JSON_REAL
        VS_JSON_STRING
        VS_JSON_LIST
        VS_JSON_DATA_SET
        VS_JSON_ELEMENT
        VS_JSON_REPEATED
        VS_JSON_NESTED
        VS_JSON_TOO_DEEP
        VS_JSON_OVERWRITTEN
    ctypedef enum vs_json_member:
        VS_JSON_VALUE
        VS_JSON_INLINE_BINARY
        VS_JSON_BULK_DATA_URI
    ctypedef struct vs_json_text:
        uint32_t offset, length
    ctypedef struct vs_json_node:
        uint32_t next
        uint16_t name
        uint8_t kind
        int64_t integer
        vs_json_text text
    ctypedef struct vs_json:
        const vs_json_node *nodes
        size_t count
        const char *texts
        char message[232]
    const int VS_MAX_DEPTH
    vs_json *vs_json_new(const uint8_t *, size_t, const vs_wanted *, size_t)
    vs_status vs_json_next(vs_json *)
    void vs_json_free(vs_json *)


cdef struct _JsonElement:  # NULL: not there
    const vs_json_node *value
    const vs_json_node *inline_binary
    const vs_json_node *bulk_data_uri


cdef inline bytes _json_text(const vs_json *raw, const vs_json_node *node):
    return raw.texts[node.text.offset:node.text.offset + node.text.length]


cdef inline bint _is_number(const vs_json_node *node):
    return VS_JSON_INTEGER <= node.kind <= VS_JSON_REAL


cdef inline bint _holds_numbers(const char *vr):
    """DS, IS and the binary numbers, PS3.18 table F.2.3-1; "XS" is US or SS."""
    if vr[1] == c'S':
        return vr[0] == c'D' or vr[0] == c'I' or vr[0] == c'U' or vr[0] == c'S' or vr[0] == c'X'
    if vr[1] == c'L' or vr[1] == c'V':
        return vr[0] == c'U' or vr[0] == c'S' or vr[0] == c'F'
    return vr[0] == c'F' and vr[1] == c'D'


cdef object _json_number(const vs_json *raw, const vs_json_node *node):
    if node.kind == VS_JSON_INTEGER:
        return node.integer
    if node.kind == VS_JSON_REAL:  # as float() does it; what is too large is infinite
        return PyOS_string_to_double(raw.texts + node.text.offset, NULL, NULL)
    try:
        return int(_json_text(raw, node))
    except ValueError:  # Python reads no more than some thousand digits
        raise ProtocolError(f"the metadata hold an integer of {node.text.length} digits") from None


cdef object _json_values(const vs_json *raw, HeaderTags tags, const vs_json_node *value, const char *vr):
    """Lists are tolerated where the model wants one value, and the other way round; so are numbers as strings."""
    cdef const vs_json_node *end = raw.nodes + value.next
    cdef const vs_json_node *node = value + 1 if value.kind == VS_JSON_LIST else value
    cdef bint are_numbers = _holds_numbers(vr)
    cdef list values
    if value.kind == VS_JSON_LIST and node != end and raw.nodes + node.next == end:  # nearly all of them
        if node.kind == VS_JSON_STRING:
            return _json_text(raw, node)
        if are_numbers and _is_number(node):
            return _json_number(raw, node)
    values = []
    if value.kind == VS_JSON_NULL:
        node = end
    if vr[0] == c'S' and vr[1] == c'Q':
        while node != end:
            if node.kind == VS_JSON_TOO_DEEP:
                raise ProtocolError(f"sequences are nested deeper than {VS_MAX_DEPTH}")
            if node.kind == VS_JSON_DATA_SET:
                item = {}
                _json_attributes(raw, tags, node, None, item)
                values.append(item)
            node = raw.nodes + node.next
        return values
    while node != end:
        if _is_number(node):
            values.append(_json_number(raw, node))
        elif node.kind == VS_JSON_STRING or node.kind == VS_JSON_NULL:
            values.append(_json_text(raw, node) if node.kind == VS_JSON_STRING else b"")
            are_numbers = False
        else:
            return None
        node = raw.nodes + node.next
    if not values:
        return None
    if are_numbers:
        return values[0] if len(values) == 1 else tuple(values)
    return b"\\".join([each if isinstance(each, bytes) else str(each).encode() for each in values])


cdef int _json_word(const vs_json *raw, const vs_json_node *node) except -1:
    if node.kind == VS_JSON_INTEGER and 0 <= node.integer <= 0xFFFF:
        return node.integer
    if node.kind == VS_JSON_FALSE or node.kind == VS_JSON_TRUE:
        return node.kind == VS_JSON_TRUE
    if node.kind == VS_JSON_STRING:
        word = int(_json_text(raw, node).decode())
    elif _is_number(node):
        word = int(_json_number(raw, node))
    else:
        raise ValueError
    if not 0 <= word <= 0xFFFF:
        raise ValueError
    return word


cdef object _json_binary(const vs_json *raw, const _JsonElement *element, keyword):
    """Bytes, or the address where they are."""
    cdef const vs_json_node *node = element.inline_binary
    cdef const vs_json_node *end
    cdef int word
    cdef bytearray table
    if node is not NULL and node.kind == VS_JSON_STRING:
        try:
            return b64decode(_json_text(raw, node), validate=True)
        except ValueError:
            raise DamagedError(f"{keyword} is not base64") from None
    node = element.value
    if node is not NULL and node.kind == VS_JSON_LIST:  # a table written as numbers
        end = raw.nodes + node.next
        node += 1
        table = bytearray()
        try:
            while node != end:
                word = _json_word(raw, node)
                table.append(word & 0xFF)
                table.append(word >> 8)
                node = raw.nodes + node.next
        except (ValueError, OverflowError):
            raise DamagedError(f"{keyword} is not a table of 16-bit words") from None
        return bytes(table)
    node = element.bulk_data_uri
    return _json_text(raw, node).decode() if node is not NULL and node.kind == VS_JSON_STRING else None


cdef _JsonElement _json_element(const vs_json *raw, const vs_json_node *node):
    cdef const vs_json_node *end = raw.nodes + node.next
    cdef _JsonElement element = _JsonElement(NULL, NULL, NULL)
    node += 1
    while node != end:
        if node.name == VS_JSON_VALUE:
            element.value = node
        elif node.name == VS_JSON_INLINE_BINARY:
            element.inline_binary = node
        else:
            element.bulk_data_uri = node
        node = raw.nodes + node.next
    return element


cdef object _json_attribute(const vs_json *raw, HeaderTags tags, const vs_json_node *node):
    """The value; None if there is none."""
    cdef const char *vr = tags.table[node.name].vr
    cdef _JsonElement element = _json_element(raw, node)
    if vr[0] == c'O':
        return _json_binary(raw, &element, tags.keywords[node.name])
    if element.value is not NULL:
        return _json_values(raw, tags, element.value, vr)
    return [] if vr[0] == c'S' and vr[1] == c'Q' else None


cdef int _json_attributes(
    const vs_json *raw, HeaderTags tags, const vs_json_node *data_set, list before, dict out
) except -1:
    """Of an instance, `before` are the values of the one before; of a sequence item, it is None."""
    cdef const vs_json_node *node = data_set + 1
    cdef const vs_json_node *end = raw.nodes + data_set.next
    while node != end:
        if node.kind != VS_JSON_OVERWRITTEN:
            keyword = tags.keywords[node.name]
            if tags.table[node.name].vr[0] == c'p':
                if before is not None:
                    out["PixelData"] = keyword
            else:
                if node.kind == VS_JSON_REPEATED:
                    value = before[node.name]
                else:
                    value = _json_attribute(raw, tags, node)
                    if before is not None:
                        before[node.name] = value
                if value is not None:
                    out[keyword] = value
        node = raw.nodes + node.next
    out["SpecificCharacterSet"] = b"ISO_IR 192"  # JSON is UTF-8, whatever the instance was
    return 0


cdef int _json_instances(const vs_json *raw, HeaderTags tags, list before, list out) except -1:
    cdef const vs_json_node *node = raw.nodes
    cdef const vs_json_node *end = raw.nodes + raw.count
    cdef dict instance
    while node != end:
        instance = {}
        try:
            _json_attributes(raw, tags, node, before, instance)
        except VolstreamError as error:
            uid = instance.get("SOPInstanceUID")
            raise error.located(uid=uid.decode() if isinstance(uid, bytes) else None)
        out.append(instance)
        node = raw.nodes + node.next
    return 0


def read_json(source, HeaderTags tags not None):
    cdef const uint8_t[::1] view = source
    cdef size_t size = view.shape[0]
    cdef vs_json *raw = vs_json_new(&view[0] if size else NULL, size, tags.table, tags.count)
    cdef vs_status status
    cdef list before = [None] * tags.count
    cdef list out = []
    if raw is NULL:
        raise MemoryError
    try:
        while True:
            with nogil:
                status = vs_json_next(raw)
            if status == VS_CORRUPT:
                raise ProtocolError("the metadata are " + (<bytes> raw.message).decode("ascii", "replace"))
            if status != VS_OK:
                raise _error(status, raw.message)
            if raw.count == 0:
                return out
            _json_instances(raw, tags, before, out)
    finally:
        vs_json_free(raw)
