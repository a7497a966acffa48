// The C boundary of the header reader: exceptions become a status here.
#include "part10.h"

#include "part10_parse.h"

#include <new>

namespace {

using namespace vs::part10;

void finish(Header &header) {
    header.entries = header.entry_list.data();
    header.count = header.entry_list.size();
    header.values = header.value_bytes.data();
    header.offset_table = header.table_bytes.data();
    header.offset_table_length = uint32_t(header.table_bytes.size());
    header.fragments = header.fragment_list.data();
    header.fragment_count = header.fragment_list.size();
}

template <class Work> vs_status guarded(vs_header **out, Work work) {
    *out = nullptr;
    Header *header = new (std::nothrow) Header;
    if (!header) return VS_NO_MEMORY;
    *out = header;
    try {
        work(*header);
        finish(*header);
        return VS_OK;
    } catch (const vs::Error &failure) {
        std::memcpy(header->message, failure.message, sizeof header->message);
        return failure.status;
    } catch (...) { // std::bad_alloc and length_error: nothing else is thrown
        std::strcpy(header->message, "not enough memory for the header");
        return VS_NO_MEMORY;
    }
}

void read(Input &input, const vs_wanted *wanted, size_t count, Header &header) {
    header.size = input.size();
    Parser(input, wanted, count, header).file();
}

} // namespace

extern "C" vs_status vs_read_header_file(const char *path, const vs_wanted *wanted, size_t count, vs_header **header) {
    return guarded(header, [&](Header &out) {
        Input input(path);
        read(input, wanted, count, out);
    });
}

extern "C" vs_status vs_read_header(const uint8_t *data, size_t size, const vs_wanted *wanted, size_t count,
                                    vs_header **header) {
    return guarded(header, [&](Header &out) {
        Input input(data, size);
        read(input, wanted, count, out);
    });
}

extern "C" vs_status vs_read_fragments(const uint8_t *data, size_t size, vs_header **header) {
    return guarded(header, [&](Header &out) {
        Input input(data, size);
        out.size = size;
        read_fragments(input, 0, out);
    });
}

extern "C" void vs_header_free(vs_header *header) { delete static_cast<Header *>(header); }
