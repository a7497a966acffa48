#include "part10_parse.h"

#include <algorithm>

namespace vs::part10 {

namespace {

// Whether a frame's codestream begins here; tells frames of several fragments apart where no table does.
bool starts_codestream(const uint8_t *p, size_t size) {
    const auto is = [&](const char *signature, size_t length) {
        return size >= length && std::memcmp(p, signature, length) == 0;
    };
    return is("\xFF\xD8\xFF", 3)              // JPEG and JPEG-LS: SOI, then a marker
           || is("\xFF\x4F\xFF\x51", 4)       // JPEG 2000 and HTJ2K: SOC, SIZ
           || is("\0\0\0\x0CjP  ", 8)         // JP2
           || is("\xFF\x0A", 2)               // JPEG XL codestream
           || is("\0\0\0\x0CJXL ", 8)         // JPEG XL container
           || (size >= 8 && p[0] >= 1 && p[0] <= 15 && !p[1] && !p[2] && !p[3] &&
               u32(p + 4, false) == 64);      // RLE header: segment count, then the first segment's offset, PS3.5 G.5
}

} // namespace

void read_fragments(Input &input, uint64_t position, Header &out) {
    bool is_table = true;
    out.fragments_end = VS_CUT;
    for (;;) {
        const uint8_t *p = input.view(position, 8);
        if (!p) return;
        const uint32_t tag = uint32_t(u16(p, false)) << 16 | u16(p + 2, false), length = u32(p + 4, false);
        position += 8;
        if (tag == 0xFFFEE0DD) {
            out.fragments_end = VS_ENDED;
            return;
        }
        if (tag != 0xFFFEE000 || length == 0xFFFFFFFF) {
            out.fragments_end = VS_BROKEN;
            return;
        }
        const uint64_t left = input.size() - position;
        if (is_table) {
            if (length > left) return;
            p = input.view(position, length);
            out.table_bytes.assign(p, p + length);
        } else {
            const size_t head = size_t(std::min({left, uint64_t(length), uint64_t(8)}));
            const bool starts = head && starts_codestream(input.view(position, head), head);
            out.fragment_list.push_back({position, length, starts});
            if (length > left) return;
        }
        is_table = false;
        position += length;
    }
}

} // namespace vs::part10
