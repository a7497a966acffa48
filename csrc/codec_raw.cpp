// Uncompressed pixels: 1 bit a pixel, 8 to 64 bit integers, 32 and 64 bit floats, both byte orders.
#include "raw.h"

#include "rows.h"
#include "scratch.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace vs {
namespace {

Sample sample_of(const vs_frame &frame) {
    switch (frame.bits_allocated) {
    case 8: return Sample::u8;
    case 16: return Sample::u16;
    case 32: return frame.is_float ? Sample::f32 : Sample::u32;
    default: return frame.is_float ? Sample::f64 : Sample::u64;
    }
}

// Big endian swaps the bytes of words as wide as the cells, but of 16-bit words at least: OW, PS3.5 7.3.
void swap_cells(const uint8_t *in, uint8_t *out, size_t bytes, unsigned bits_allocated) {
    const size_t word = bits_allocated > 16 ? bits_allocated / 8 : 2;
    swap_for(word)(in, out, bytes / word);
}

// One bit a pixel, packed from the lowest bit up, rows not padded: PS3.5 8.1.1, Annex D.
void bit_rows(const Encoded &e, const uint8_t *data, Sink &sink) {
    std::vector<uint8_t> row(e.columns);
    const Plane plane{row.data(), Sample::u8, 1};
    uint64_t bit = e.frame.first_bit;
    for (uint32_t y = 0; y < e.rows; ++y) {
        for (uint32_t x = 0; x < e.columns; ++x, ++bit)
            row[x] = data[bit >> 3] >> (bit & 7) & 1;
        sink.row(y, &plane);
    }
}

// Two luminances, then the two chrominances that they share: PS3.3 C.7.6.3.1.2.
void subsampled_rows(const Encoded &e, const uint8_t *data, Sink &sink) {
    std::vector<uint8_t> row(static_cast<size_t>(e.columns) * 3);
    const Plane planes[3] = {{row.data(), Sample::u8, 3}, {row.data() + 1, Sample::u8, 3}, {row.data() + 2, Sample::u8, 3}};
    for (uint32_t y = 0; y < e.rows; ++y) {
        for (uint32_t x = 0; x < e.columns; x += 2, data += 4) {
            uint8_t *pair = row.data() + static_cast<size_t>(x) * 3;
            pair[0] = data[0];
            pair[3] = data[1];
            pair[1] = pair[4] = data[2];
            pair[2] = pair[5] = data[3];
        }
        sink.row(y, planes);
    }
}

void separate_planes(const Encoded &e, const uint8_t *data, Sink &sink) {
    const Sample type = sample_of(e.frame);
    const size_t row_bytes = static_cast<size_t>(e.columns) * (e.frame.bits_allocated / 8);
    const size_t plane_bytes = row_bytes * e.rows;
    for (uint32_t y = 0; y < e.rows; ++y) {
        const uint8_t *row = data + y * row_bytes;
        const Plane planes[3] = {{row, type, 1}, {row + plane_bytes, type, 1}, {row + 2 * plane_bytes, type, 1}};
        sink.row(y, planes);
    }
}

bool is_subsampled(const vs_frame &frame) {
    return frame.photometric == VS_YBR_FULL_422 && frame.samples_per_pixel == 3;
}

void interleaved_rows(const vs_frame &frame, const uint8_t *data, uint32_t first, uint32_t count, Sink &sink) {
    const Sample type = sample_of(frame);
    const size_t cell = frame.bits_allocated / 8;
    const uint32_t step = frame.samples_per_pixel;
    for (uint32_t y = first; y < first + count; ++y, data += frame.columns * cell * step) {
        const Plane planes[3] = {{data, type, step}, {data + cell, type, step}, {data + 2 * cell, type, step}};
        sink.row(y, planes);
    }
}

void decode(const Encoded &e, Sink &sink) {
    const vs_frame &frame = e.frame;
    const bool is_bits = frame.bits_allocated == 1;
    const uint64_t surplus = raw_surplus(frame, e.size);
    // Frames of bits start and end anywhere: what surrounds them belongs to their neighbours.
    if (surplus && !is_bits)
        raw_check_surplus(frame, e.data + (e.size - surplus), surplus, surplus);
    const uint8_t *data = e.data;
    if (frame.codec == VS_CODEC_RAW_BE && (is_bits || !raw_row_bytes(frame))) {
        // The last byte of an odd number of them is the second of its word.
        const size_t size = (static_cast<size_t>(raw_frame_bytes(frame)) + 1) & ~size_t{1};
        if (e.size < size)
            fail(VS_TRUNCATED, "%zu bytes of %zu", e.size, size);
        uint8_t *swapped = scratch(SCRATCH_STREAM, size);
        swap_cells(data, swapped, size, frame.bits_allocated);
        data = swapped + (is_bits ? 0 : frame.first_bit / 8);
    }
    if (is_bits)
        bit_rows(e, data, sink);
    else if (raw_row_bytes(frame))
        raw_rows(frame, data, 0, e.rows, sink);
    else if (is_subsampled(frame))
        subsampled_rows(e, data, sink);
    else if (frame.samples_per_pixel == 3 && frame.planar_configuration)
        separate_planes(e, data, sink);
    else
        interleaved_rows(frame, data, 0, e.rows, sink);
}

} // namespace

uint64_t raw_frame_bytes(const vs_frame &frame) {
    if (frame.photometric == VS_YBR_ICT || frame.photometric == VS_YBR_RCT)
        fail(VS_UNSUPPORTED, "uncompressed pixels in a colour space of JPEG 2000");
    const uint64_t pixels = uint64_t{frame.rows} * frame.columns;
    if (!is_subsampled(frame))
        return (frame.first_bit + pixels * frame.samples_per_pixel * frame.bits_allocated + 7) / 8;
    if (frame.bits_allocated != 8 || frame.columns % 2)
        fail(VS_UNSUPPORTED, "YBR_FULL_422 with %u columns of %u bits", frame.columns, frame.bits_allocated);
    return frame.first_bit / 8 + pixels * 2;
}

uint64_t raw_surplus(const vs_frame &frame, uint64_t size) {
    const uint64_t expected = raw_frame_bytes(frame);
    if (size < expected)
        fail(VS_TRUNCATED, "%llu bytes of %llu", static_cast<unsigned long long>(size),
             static_cast<unsigned long long>(expected));
    return size - expected;
}

void raw_check_surplus(const vs_frame &frame, const uint8_t *data, uint64_t size, uint64_t surplus) {
    // A byte of any value makes the length even; more of them are padding only if they hold nothing.
    const uint64_t expected = raw_frame_bytes(frame);
    if (surplus > (expected & 1) && std::any_of(data, data + size, [](uint8_t byte) { return byte != 0; }))
        fail(VS_MISMATCH, "%llu bytes where rows, columns and bits allocated make %llu",
             static_cast<unsigned long long>(expected + surplus), static_cast<unsigned long long>(expected));
}

uint64_t raw_row_bytes(const vs_frame &frame) {
    const bool is_planar = frame.samples_per_pixel == 3 && frame.planar_configuration;
    if (frame.bits_allocated == 1 || is_subsampled(frame) || is_planar ||
        (frame.codec == VS_CODEC_RAW_BE && frame.bits_allocated == 8))
        return 0;
    return uint64_t{frame.columns} * frame.samples_per_pixel * (frame.bits_allocated / 8);
}

void raw_rows(const vs_frame &frame, const uint8_t *data, uint32_t first, uint32_t count, Sink &sink) {
    if (frame.codec == VS_CODEC_RAW)
        return interleaved_rows(frame, data, first, count, sink);
    const auto row_bytes = static_cast<size_t>(raw_row_bytes(frame));
    uint8_t *row = scratch(SCRATCH_STREAM, row_bytes);
    for (uint32_t y = first; y < first + count; ++y, data += row_bytes) {
        swap_cells(data, row, row_bytes, frame.bits_allocated);
        interleaved_rows(frame, row, y, 1, sink);
    }
}

const Codec raw_codec{{"raw", "volstream", "", "", "own", 64}, decode, nullptr};
const Codec raw_be_codec{{"raw-be", "volstream", "", "", "own", 64}, decode, nullptr};

} // namespace vs
