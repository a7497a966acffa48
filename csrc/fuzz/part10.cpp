// libFuzzer target: the header reader on any bytes, from a buffer and from a file, which must agree.
#include "part10.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

namespace {

constexpr vs_wanted wanted[] = {
    {0x00020003, {'U', 'I'}}, {0x00080005, {'C', 'S'}}, {0x00080008, {'C', 'S'}}, {0x00080018, {'U', 'I'}},
    {0x00189117, {'S', 'Q'}}, {0x00200032, {'D', 'S'}}, {0x00280008, {'I', 'S'}}, {0x00280010, {'U', 'S'}},
    {0x00280011, {'U', 'S'}}, {0x00280120, {'X', 'S'}}, {0x00283000, {'S', 'Q'}}, {0x00283002, {'X', 'S'}},
    {0x00283006, {'O', 'W'}}, {0x00289110, {'S', 'Q'}}, {0x52009229, {'S', 'Q'}}, {0x52009230, {'S', 'Q'}},
    {0x7FE00001, {'O', 'V'}},
};
constexpr size_t count = sizeof wanted / sizeof *wanted;

void check(bool holds) {
    if (!holds) std::abort();
}

// What readers of the entries rely on: values lie inside, sequences and items nest and are closed.
void check_header(const vs_header &header, size_t values) {
    vs_entry_kind open[2 * VS_MAX_DEPTH + 2];
    size_t depth = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < header.count; ++i) {
        const vs_entry &entry = header.entries[i];
        check(entry.wanted < count);
        const bool in_sequence = depth && open[depth - 1] == VS_SEQUENCE;
        if (entry.kind == VS_END) {
            check(depth > 0);
            --depth;
        } else {
            check(in_sequence == (entry.kind == VS_ITEM));
            if (entry.kind == VS_VALUE) {
                check(entry.offset == end);
                end += entry.length;
            } else {
                check(depth < sizeof open / sizeof *open);
                open[depth++] = vs_entry_kind(entry.kind);
            }
        }
    }
    check(depth == 0 && end <= values);
    for (size_t i = 0; i < header.fragment_count; ++i) check(header.fragments[i].offset <= header.size);
}

bool same(const vs_header &a, const vs_header &b) {
    if (a.count != b.count || a.fragment_count != b.fragment_count || a.pixel_offset != b.pixel_offset) return false;
    for (size_t i = 0; i < a.count; ++i) {
        const vs_entry &x = a.entries[i], &y = b.entries[i];
        if (x.kind != y.kind || x.offset != y.offset || x.length != y.length) return false;
        const bool has_value = x.kind == VS_VALUE && x.length;
        if (has_value && std::memcmp(a.values + x.offset, b.values + y.offset, x.length)) return false;
    }
    return true;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int file = memfd_create("part10", 0);
    static char path[64];
    if (!*path) std::snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (ftruncate(file, 0) || pwrite(file, data, size, 0) != ssize_t(size)) std::abort();

    vs_header *buffered = nullptr, *filed = nullptr, *fragments = nullptr;
    const vs_status status = vs_read_header(data, size, wanted, count, &buffered);
    if (status == VS_OK) check_header(*buffered, size);
    check(vs_read_header_file(path, wanted, count, &filed) == status);
    check(status != VS_OK || same(*buffered, *filed));
    vs_read_fragments(data, size, &fragments);
    vs_header_free(buffered);
    vs_header_free(filed);
    vs_header_free(fragments);
    return 0;
}
