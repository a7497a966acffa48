#include "huffman.h"

#include "codec.h"
#include "scratch.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace vs {
namespace {

uint64_t big_endian(const uint8_t *p) { // compilers make one load and one swap of it
    return static_cast<uint64_t>(p[0]) << 56 | static_cast<uint64_t>(p[1]) << 48 | static_cast<uint64_t>(p[2]) << 40 |
           static_cast<uint64_t>(p[3]) << 32 | static_cast<uint64_t>(p[4]) << 24 | static_cast<uint64_t>(p[5]) << 16 |
           static_cast<uint64_t>(p[6]) << 8 | p[7];
}

// A code and a difference take 32 bits at most.
constexpr size_t most_bytes = 4, load_bytes = 8;

} // namespace

const uint8_t *HuffmanTable::read(const uint8_t *at, const uint8_t *end) {
    if (end - at < 16)
        fail(VS_CORRUPT, "a damaged JPEG Huffman table");
    const uint8_t *counts = at;
    size_t total = 0;
    for (int i = 0; i < 16; ++i)
        total += counts[i];
    at += 16;
    if (total > 256 || static_cast<size_t>(end - at) < total)
        fail(VS_CORRUPT, "a damaged JPEG Huffman table");
    if (std::any_of(at, at + total, [](uint8_t category) { return category > 16; }))
        fail(VS_CORRUPT, "a JPEG Huffman table that is not for lossless coding");
    std::copy(at, at + total, values_);

    std::fill(std::begin(short_), std::end(short_), Code{});
    uint32_t code = 0, index = 0;
    limit_[0] = 0;
    for (unsigned length = 1; length <= 16; ++length, code <<= 1) { // C.2
        offset_[length] = index - code;
        for (unsigned i = 0; i < counts[length - 1]; ++i, ++code, ++index) {
            if (code >> length)
                fail(VS_CORRUPT, "a JPEG Huffman table with too many codes");
            if (length > short_bits)
                continue;
            const uint8_t category = values_[index];
            // Category 16 is the difference 32768 and has no bits of its own, H.1.2.2.
            const Code entry{static_cast<uint8_t>(length), category,
                             static_cast<uint8_t>(length + (category == 16 ? 0 : category))};
            const size_t spread = size_t{1} << (short_bits - length);
            std::fill_n(short_ + code * spread, spread, entry);
        }
        limit_[length] = code << (16 - length);
    }
    return at + total;
}

HuffmanTable::Code HuffmanTable::find_long(uint64_t bits) const {
    const auto word = static_cast<uint32_t>(bits >> 48);
    for (unsigned length = short_bits + 1; length <= 16; ++length)
        if (word < limit_[length]) {
            const uint8_t category = values_[((word >> (16 - length)) + offset_[length]) & 255];
            return {static_cast<uint8_t>(length), category,
                    static_cast<uint8_t>(length + (category == 16 ? 0 : category))};
        }
    return {};
}

const uint8_t *BitReader::fill(const uint8_t *at, const uint8_t *end, size_t row_samples) {
    const size_t padding = row_samples * most_bytes + load_bytes;
    uint8_t *out = scratch(SCRATCH_STREAM, static_cast<size_t>(end - at) + padding);
    bytes_ = out;
    while (at != end) {
        const auto *stop = static_cast<const uint8_t *>(std::memchr(at, 0xFF, static_cast<size_t>(end - at)));
        if (!stop)
            stop = end;
        std::memcpy(out, at, static_cast<size_t>(stop - at));
        out += stop - at;
        at = stop;
        if (end - at < 2) {
            at = end; // a lone FF says nothing
            break;
        }
        if (at[1] != 0)
            break;
        *out++ = 0xFF; // FF 00 stands for FF, F.1.2.3
        at += 2;
    }
    std::memset(out, 0, padding);
    position_ = 0;
    size_ = 8 * static_cast<uint64_t>(out - bytes_);
    return at;
}

bool BitReader::differences(const HuffmanTable &table, uint16_t *out, size_t count) {
    const uint8_t *bytes = bytes_;
    uint64_t position = position_;
    bool is_good = true;
    for (size_t i = 0; i < count; ++i) {
        const uint64_t bits = big_endian(bytes + (position >> 3)) << (position & 7);
        const HuffmanTable::Code code = table.find(bits);
        if (!code.length) {
            is_good = false;
            break;
        }
        position += code.total;
        // The bits as a number; those that start with 0 stand for negative differences, F.2.2.1.
        const auto value = static_cast<uint32_t>((bits << code.length) >> 1 >> (63 - code.category));
        const uint32_t half = (uint32_t{1} << code.category) >> 1;
        const uint32_t difference = value < half ? value - 2 * half + 1 : value;
        out[i] = static_cast<uint16_t>(code.category == 16 ? 32768 : difference);
    }
    position_ = position;
    return is_good;
}

} // namespace vs
