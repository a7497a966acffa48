#include "place.h"

#include "colour.h"
#include "scratch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace vs {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Limits {
    double low, high;
    const char *name;
};

Limits limits(vs_dtype type) {
    // An integer's ends, and the largest finite float.
    constexpr double largest = std::numeric_limits<float>::max();
    constexpr Limits table[] = {
        {-128, 127, "int8"},      {0, 255, "uint8"},
        {-32768, 32767, "int16"}, {0, 65535, "uint16"},
        {-2147483648.0, 2147483647.0, "int32"}, {0, 4294967295.0, "uint32"},
        {-largest, largest, "float32"}, {-infinity, infinity, "float64"}};
    return table[type];
}

bool fits(double low, double high, const Limits &bound) {
    // Infinite pixels are themselves in a float, not an overflow.
    const bool is_float = bound.high > 4294967295.0;
    return (low >= bound.low || (is_float && low == -infinity)) && (high <= bound.high || (is_float && high == infinity));
}

// Whole, and not above 2^62.
bool is_whole(double x) { return std::nearbyint(x) == x && std::fabs(x) <= 4611686018427387904.0; }

// value * slope + intercept, both whole, of an integer known modulo 2^64; `rounded` is the same as doubles give it.
// If that is below 2^40, then nothing on the way was above 2^63, nor off by more than 2^13: int64_t holds the result,
// and arithmetic modulo 2^64 gives it. What is above does not fit any integer target, rounded or not.
double exact(double rounded, uint64_t value, double slope, double intercept) {
    if (std::fabs(rounded) >= 1099511627776.0)
        return rounded;
    const auto word = [](double x) { return static_cast<uint64_t>(static_cast<int64_t>(x)); };
    return static_cast<double>(static_cast<int64_t>(value * word(slope) + word(intercept)));
}

Sample with_sign(Sample type, bool is_signed) {
    // u8, u16, u32 and u64 are even, and their signed twins follow them
    return static_cast<Sample>((static_cast<int>(type) & ~1) | static_cast<int>(is_signed));
}

Scratch plane_slot(unsigned component) { return static_cast<Scratch>(SCRATCH_PLANE_0 + component); }

} // namespace

size_t size_of(vs_dtype type) {
    constexpr size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 8};
    return sizes[type];
}

uint32_t reduced(uint32_t size, unsigned reduce) {
    return static_cast<uint32_t>((static_cast<uint64_t>(size) + (uint64_t{1} << reduce) - 1) >> reduce);
}

Placer::Placer(const vs_frame &frame, const vs_target &target, bool gives_rgb)
    : frame_(frame), first_(static_cast<unsigned char *>(target.data) + target.offset),
      dtype_(static_cast<vs_dtype>(target.dtype)),
      is_ybr_(!gives_rgb && (frame.photometric == VS_YBR_FULL || frame.photometric == VS_YBR_FULL_422)),
      rows_(reduced(frame.rows, frame.reduce)), columns_(reduced(frame.columns, frame.reduce)),
      channels_(frame.table ? frame.table->channels : frame.samples_per_pixel),
      is_whole_(is_whole(frame.slope) && is_whole(frame.intercept)), read_{infinity, -infinity},
      written_{infinity, -infinity} {
    const size_t row_bytes = static_cast<size_t>(columns_) * channels_ * size_of(dtype_);
    row_stride_ = target.row_stride ? static_cast<size_t>(target.row_stride) : row_bytes;
}

void Placer::begin(const vs_codestream &stream) {
    check_codestream(stream, frame_);
    // A lossy sample is a number near the one encoded: beside an edge, 63 can come back as 64 if the codestream has
    // more bits than are stored. Masked to six bits (what pydicom does) that is 0, black within white; the nearest
    // value that the metadata allow is 63, and decoders likewise clamp to their own precision. What a lossless
    // codestream holds above BitsStored was put there, overlays for one, and is masked as in uncompressed pixels.
    // So are samples of the other sign: as bits of two's complement, -1 would be clamped to the largest value.
    clamps_ = stream.is_lossy && stream.is_signed == frame_.pixel_representation;
}

Placer::Stored Placer::stored(const Plane &plane, unsigned component, bool may_be_field) {
    if (is_float(plane.type)) {
        if (plane.step == 1)
            return {plane.samples, plane.type};
        fail(VS_UNSUPPORTED, "float pixels with several samples");
    }
    // PS3.5 8.1.1: only BitsStored bits below and including HighBit are the value; others may hold anything. A
    // codestream of fewer bits than HighBit says holds the value itself (check_codestream has seen to that).
    const unsigned width = 8 * static_cast<unsigned>(size_of(plane.type));
    const unsigned bits = frame_.bits_stored, top = frame_.high_bit + 1u;
    const bool is_cell = top <= width;
    const unsigned left = is_cell ? width - top : 0, right = is_cell ? width - bits : 0;
    const bool is_signed = is_cell ? frame_.pixel_representation : with_sign(plane.type, true) == plane.type;
    const Sample type = with_sign(plane.type, is_signed);
    if (plane.step == 1 && right == 0)
        return {plane.samples, type};
    if (plane.step == 1 && top == bits && !clamps_ && may_be_field) {
        const uint64_t end = uint64_t{1} << bits;
        return {plane.samples, type, {end - 1, is_signed ? end / 2 : 0}};
    }
    auto *out = scratch(plane_slot(component), static_cast<size_t>(columns_) * size_of(type));
    if (clamps_ && top < width) {
        const int64_t high = (int64_t{1} << (top - is_signed)) - 1, low = is_signed ? -high - 1 : 0;
        clamp_for(plane.type)(plane.samples, plane.step, out, columns_, low, high, top - bits);
        return {out, type};
    }
    unpack_for(type, is_signed)(plane.samples, plane.step, out, columns_, left, right);
    return {out, type};
}

Placer::Stored Placer::looked_up(const Stored &indices) {
    const vs_table &table = *frame_.table;
    const Lookup lookup = lookup_for(indices.type);
    if (!lookup)
        fail(VS_UNSUPPORTED, "a lookup table for float pixels");
    auto *out = reinterpret_cast<uint16_t *>(scratch(SCRATCH_ROW, static_cast<size_t>(columns_) * channels_ * sizeof(uint16_t)));
    for (uint32_t channel = 0; channel < channels_; ++channel)
        lookup(indices.samples, columns_, table.entries + static_cast<size_t>(channel) * table.length, table.length,
               table.first, out + channel, channels_);
    return {out, Sample::u16};
}

Placer::Stored Placer::interleaved(const Plane *planes) {
    const Sample type = planes[0].type;
    const size_t size = size_of(type);
    // Already as wanted: colour last, full cells.
    const auto *base = static_cast<const unsigned char *>(planes[0].samples);
    if (!is_ybr_ && planes[0].step == 3 && planes[1].samples == base + size && planes[2].samples == base + 2 * size &&
        frame_.bits_stored == 8 * size)
        return {base, with_sign(type, frame_.pixel_representation)};

    unsigned char *parts[3];
    Sample part_type = type;
    for (unsigned c = 0; c < 3; ++c) {
        if (planes[c].type != type || is_float(type))
            fail(VS_UNSUPPORTED, "components of different or float sample types");
        const Stored part = stored(planes[c], c);
        part_type = part.type;
        parts[c] = scratch(plane_slot(c), columns_ * size);
        if (part.samples != parts[c])
            std::memcpy(parts[c], part.samples, columns_ * size);
    }
    const auto weave = [&](auto *row) {
        using T = std::remove_pointer_t<decltype(row)>;
        T *in[3] = {reinterpret_cast<T *>(parts[0]), reinterpret_cast<T *>(parts[1]), reinterpret_cast<T *>(parts[2])};
        if (is_ybr_)
            ybr_to_rgb(in[0], in[1], in[2], columns_, frame_.bits_stored);
        for (size_t i = 0; i < columns_; ++i)
            for (unsigned c = 0; c < 3; ++c)
                row[3 * i + c] = in[c][i];
    };
    auto *out = scratch(SCRATCH_ROW, columns_ * size * 3);
    switch (size) {
    case 1: weave(out); break;
    case 2: weave(reinterpret_cast<uint16_t *>(out)); break;
    default: weave(reinterpret_cast<uint32_t *>(out));
    }
    return {out, part_type};
}

void Placer::row(uint32_t y, const Plane *planes) {
    if (y >= rows_)
        fail(VS_CORRUPT, "row %u of %u", y, rows_);
    if (frame_.samples_per_pixel == 3)
        return write(y, interleaved(planes));
    if (frame_.table)
        return write(y, looked_up(stored(planes[0], 0)));
    write(y, stored(planes[0], 0, true));
}

void Placer::choose(Sample type) {
    type_ = type;
    const bool is_integer = !is_float(type), to_integer = dtype_ < VS_FLOAT32;
    is_exact_ = to_integer && is_whole_ && is_integer;
    // No sum of 16-bit samples leaves int32_t, and the only zero that the standard's way makes negative needs -0.
    const bool is_small = is_whole_ && is_integer && size_of(type) <= 2 && dtype_ == VS_FLOAT32 &&
                          65536 * std::fabs(frame_.slope) + std::fabs(frame_.intercept) < 2147483648.0 &&
                          !(frame_.intercept == 0 && std::signbit(frame_.intercept));
    transform_ = is_exact_ || is_small ? affine_for(type, dtype_) : scale_for(type, dtype_);
}

void Placer::write(uint32_t y, const Stored &row) {
    const size_t count = static_cast<size_t>(columns_) * channels_;
    if (!transform_ || row.type != type_)
        choose(row.type);
    const Extent in = transform_(row.samples, first_ + static_cast<size_t>(y) * row_stride_, count, row.field,
                                 frame_.slope, frame_.intercept);
    if (is_float(row.type) && dtype_ < VS_FLOAT32 && has_nan_for(row.type)(row.samples, count))
        fail(VS_RANGE, "row %u holds NaN, which %s cannot", y, limits(dtype_).name);
    // What lies between values that fit fits. Of 64 bits a double does not show every difference.
    if (in.minimum < read_.minimum || in.maximum > read_.maximum || size_of(row.type) == 8)
        widen(y, in);
    ++seen_;
}

void Placer::widen(uint32_t y, const Extent &in) {
    const double slope = frame_.slope, intercept = frame_.intercept;
    // A line is monotonic and so is rounding: the ends of the row's range become the ends of the result's.
    double low = in.minimum * slope, high = in.maximum * slope;
    low += intercept;
    high += intercept;
    if (is_exact_) {
        low = exact(low, in.least, slope, intercept);
        high = exact(high, in.most, slope, intercept);
    }
    if (low > high && in.minimum <= in.maximum)
        std::swap(low, high);
    const Limits bound = limits(dtype_);
    if (dtype_ < VS_FLOAT32) {
        low = std::nearbyint(low);
        high = std::nearbyint(high);
    }
    if (in.minimum <= in.maximum && !fits(low, high, bound))
        fail(VS_RANGE, "values %.17g to %.17g in row %u do not fit %s", low, high, y, bound.name);
    if (dtype_ == VS_FLOAT32) {
        low = static_cast<float>(low);
        high = static_cast<float>(high);
    }
    if (low <= high) {
        written_.minimum = std::min(written_.minimum, low);
        written_.maximum = std::max(written_.maximum, high);
    }
    read_.minimum = std::min(read_.minimum, in.minimum);
    read_.maximum = std::max(read_.maximum, in.maximum);
}

Extent Placer::finish() const {
    if (seen_ < rows_)
        fail(VS_TRUNCATED, "%u of %u rows", seen_, rows_);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return written_.minimum <= written_.maximum ? written_ : Extent{nan, nan};
}

} // namespace vs
