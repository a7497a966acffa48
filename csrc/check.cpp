// What every decode relies on: metadata that make sense, and a slice that lies inside the target.
#include "place.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace vs {

void fail(vs_status status, const char *format, ...) {
    Error error{status, {}};
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    throw error;
}

void check_frame(const vs_frame &f) {
    // PS3.3 C.7.6.3.1: rows and columns are 16-bit, here with room for whole-slide oddities and no overflow below.
    constexpr uint32_t largest = 1u << 24;
    if (!f.rows || !f.columns || f.rows > largest || f.columns > largest)
        fail(VS_CORRUPT, "%u rows, %u columns", f.rows, f.columns);
    if (f.samples_per_pixel != 1 && f.samples_per_pixel != 3)
        fail(VS_UNSUPPORTED, "%u samples a pixel", f.samples_per_pixel);
    switch (f.bits_allocated) {
    case 1: case 8: case 16: case 32: case 64: break;
    default: fail(VS_UNSUPPORTED, "%u bits allocated", f.bits_allocated);
    }
    if (!f.bits_stored || f.bits_stored > f.bits_allocated || f.high_bit >= f.bits_allocated ||
        f.high_bit + 1u < f.bits_stored)
        fail(VS_CORRUPT, "%u bits stored up to bit %u of %u allocated", f.bits_stored, f.high_bit, f.bits_allocated);
    if (f.pixel_representation > 1 || f.planar_configuration > 1)
        fail(VS_CORRUPT, "pixel representation %u, planar configuration %u", f.pixel_representation, f.planar_configuration);
    if (f.bits_allocated == 1 && (f.samples_per_pixel != 1 || f.pixel_representation))
        fail(VS_UNSUPPORTED, "1-bit pixels that are signed or have several samples");
    if (f.is_float && ((f.bits_allocated != 32 && f.bits_allocated != 64) || f.samples_per_pixel != 1 || f.table))
        fail(VS_UNSUPPORTED, "float pixels of %u bits, %u samples", f.bits_allocated, f.samples_per_pixel);
    if (f.is_float && f.codec > VS_CODEC_RAW_BE)
        fail(VS_UNSUPPORTED, "compressed float pixels");
    if (f.photometric > VS_YBR_RCT)
        fail(VS_BAD_ARGUMENT, "photometric interpretation %u", f.photometric);
    if ((f.photometric >= VS_RGB) != (f.samples_per_pixel == 3))
        fail(VS_CORRUPT, "%u samples a pixel contradict the photometric interpretation", f.samples_per_pixel);
    const bool is_ybr = f.photometric == VS_YBR_FULL || f.photometric == VS_YBR_FULL_422;
    if (f.samples_per_pixel == 3 && (f.pixel_representation || f.bits_allocated > 32 || (is_ybr && f.bits_stored > 16)))
        fail(VS_UNSUPPORTED, "colour of %u bits in %u%s", f.bits_stored, f.bits_allocated,
             f.pixel_representation ? ", signed" : "");
    if (!std::isfinite(f.slope) || !std::isfinite(f.intercept))
        fail(VS_CORRUPT, "rescale slope %g, intercept %g", f.slope, f.intercept);
    const bool is_rescaled = f.slope != 1 || f.intercept != 0;
    if ((f.samples_per_pixel == 3 || f.table) && is_rescaled)
        fail(VS_BAD_ARGUMENT, "rescale slope %g, intercept %g with colour or a lookup table", f.slope, f.intercept);
    if ((f.photometric == VS_PALETTE) != (f.table && f.table->channels == 3))
        fail(VS_BAD_ARGUMENT, "a palette goes with PALETTE COLOR");
    if (f.table && (!f.table->entries || !f.table->length || f.table->length > 65536 ||
                    (f.table->channels != 1 && f.table->channels != 3) || f.samples_per_pixel != 1))
        fail(VS_CORRUPT, "lookup table of %u entries, %u channels", f.table->length, f.table->channels);
    if (f.reduce > 32 || (f.codec != VS_CODEC_JPEG_2000 && f.codec != VS_CODEC_HTJ2K && (f.reduce || f.allow_truncated)))
        fail(VS_BAD_ARGUMENT, "only JPEG 2000 and HTJ2K decode at reduced size or quality");
    const bool is_mid_word = f.bits_allocated == 8 && f.codec == VS_CODEC_RAW_BE && f.first_bit == 8;
    if (f.first_bit && !is_mid_word && (f.bits_allocated != 1 || f.first_bit >> 48))
        fail(VS_BAD_ARGUMENT, "first bit %llu", static_cast<unsigned long long>(f.first_bit));
}

void check_target(const vs_frame &frame, const vs_target &target) {
    check_place(target, reduced(frame.rows, frame.reduce), reduced(frame.columns, frame.reduce),
                frame.table ? frame.table->channels : frame.samples_per_pixel);
}

void check_place(const vs_target &target, uint64_t rows, uint64_t columns, uint64_t channels) {
    if (target.dtype >= VS_DTYPE_COUNT)
        fail(VS_BAD_ARGUMENT, "dtype %u", target.dtype);
    const uint64_t item = size_of(static_cast<vs_dtype>(target.dtype));
    const uint64_t row_bytes = columns * channels * item; // below 2^30
    const uint64_t stride = target.row_stride ? target.row_stride : row_bytes;
    if (!target.data || (reinterpret_cast<uintptr_t>(target.data) + target.offset) % item || stride % item)
        fail(VS_BAD_ARGUMENT, "offset or row stride is not a multiple of %u", static_cast<unsigned>(item));
    // All bounds are compared by division or difference, which cannot overflow.
    const bool fits = stride >= row_bytes && target.offset <= target.size && target.size - target.offset >= row_bytes &&
                      (rows == 1 || (target.size - target.offset - row_bytes) / (rows - 1) >= stride);
    if (!fits)
        fail(VS_OUT_OF_BOUNDS, "%llu rows of %llu bytes, %llu apart, from byte %llu of %llu",
             static_cast<unsigned long long>(rows), static_cast<unsigned long long>(row_bytes),
             static_cast<unsigned long long>(stride), static_cast<unsigned long long>(target.offset),
             static_cast<unsigned long long>(target.size));
}

void check_codestream(const vs_codestream &stream, const vs_frame &frame) {
    if (stream.rows != frame.rows || stream.columns != frame.columns || stream.components != frame.samples_per_pixel)
        fail(VS_MISMATCH, "the codestream holds %u rows, %u columns, %u components; the metadata say %u, %u, %u",
             stream.rows, stream.columns, stream.components, frame.rows, frame.columns, frame.samples_per_pixel);
    if (!stream.precision || stream.precision > frame.bits_allocated)
        fail(VS_MISMATCH, "the codestream holds %u-bit samples; the metadata say %u bits allocated", stream.precision,
             frame.bits_allocated);
    // Unsigned samples narrower than signed pixels: whether their top bit is a sign, nobody says.
    if (frame.pixel_representation && !stream.is_signed && stream.precision < frame.bits_stored)
        fail(VS_MISMATCH, "the codestream holds unsigned %u-bit samples; the metadata say signed %u-bit pixels",
             stream.precision, frame.bits_stored);
    // Cells whose value does not start at bit 0: the codestream must hold them whole, or its bits cannot be placed.
    if (frame.high_bit + 1u != frame.bits_stored && stream.precision <= frame.high_bit)
        fail(VS_MISMATCH, "the codestream holds %u-bit samples; the metadata say %u bits up to bit %u", stream.precision,
             frame.bits_stored, frame.high_bit);
}

} // namespace vs
