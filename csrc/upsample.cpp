// In JPEG 2000, dropping a resolution keeps the low-pass samples, which stand at the even positions of the one above
// (ISO 15444-1 F.3.3; the image is at the origin of its grid here). So after `reduce` r, sample i stands at
// position i * 2^r of the full image, not at the middle of a block of 2^r: what lies beyond the last one has only it.
#include "upsample.h"

#include "place.h"
#include "scratch.h"

#include <algorithm>
#include <type_traits>

namespace vs {

namespace {

struct Shape {
    uint32_t source_rows, source_columns, rows, columns, channels;
    unsigned reduce;
};

constexpr unsigned most_reduced = 15; // 2 * 15 bits of weights and 32 of a sample: int64_t holds their sums

// Integers are summed exactly, times 4^reduce, in the narrowest type that holds that; the sum is rounded once.
template <class T, class Wide> T rounded(Wide sum, unsigned reduce) {
    return static_cast<T>((sum + ((Wide{1} << 2 * reduce) >> 1)) >> 2 * reduce);
}

// Between a and b, and never beyond either, however the products are rounded.
double mix(double a, double b, double weight) {
    const double x = a * (1 - weight) + b * weight;
    return std::min(std::max(x, std::min(a, b)), std::max(a, b));
}

// One row, spread to full width; integers times 2^reduce.
template <class T, class Wide> void spread(const T *from, const Shape &shape, Wide *to) {
    const uint32_t factor = 1u << shape.reduce, channels = shape.channels;
    for (uint32_t x = 0; x < shape.columns; ++x, to += channels) {
        const uint32_t i = x >> shape.reduce, weight = x & (factor - 1);
        const T *a = from + size_t(i) * channels, *b = i + 1 < shape.source_columns ? a + channels : a;
        for (uint32_t c = 0; c < channels; ++c)
            if constexpr (std::is_integral_v<Wide>)
                to[c] = Wide(a[c]) * Wide(factor - weight) + Wide(b[c]) * Wide(weight);
            else // a sample stays itself beside an infinite one
                to[c] = weight != 0 ? mix(a[c], b[c], weight / double(factor)) : a[c];
    }
}

// One row from those above and below it.
template <class T, class Wide>
void blend(const Wide *above, const Wide *below, size_t count, uint32_t weight, unsigned reduce, T *to) {
    const uint32_t factor = 1u << reduce;
    if constexpr (std::is_integral_v<Wide>) {
        const auto a = Wide(factor - weight), b = Wide(weight);
        for (size_t i = 0; i < count; ++i)
            to[i] = rounded<T>(above[i] * a + below[i] * b, reduce);
    } else if (weight == 0) {
        for (size_t i = 0; i < count; ++i)
            to[i] = static_cast<T>(above[i]);
    } else {
        const double b = weight / double(factor);
        for (size_t i = 0; i < count; ++i)
            to[i] = static_cast<T>(mix(above[i], below[i], b));
    }
}

template <class Wide, class T> void linear(const T *from, const Shape &shape, unsigned char *to, size_t stride) {
    const size_t items = size_t(shape.columns) * shape.channels;
    const size_t source_items = size_t(shape.source_columns) * shape.channels;
    // The source rows above and below, each spread once. What `new` gives is aligned for both.
    Wide *above = reinterpret_cast<Wide *>(scratch(SCRATCH_SAMPLES, 2 * items * sizeof(Wide))), *below = above + items;
    spread(from, shape, below);
    for (uint32_t y = 0; y < shape.rows; ++y, to += stride) {
        const uint32_t i = y >> shape.reduce, weight = y & ((uint32_t{1} << shape.reduce) - 1);
        if (weight == 0) {
            std::swap(above, below);
            spread(from + std::min(i + 1, shape.source_rows - 1) * source_items, shape, below);
        }
        blend(above, below, items, weight, shape.reduce, reinterpret_cast<T *>(to));
    }
}

// The sample that stands nearest; half-way between two, the later one.
uint32_t nearest_to(uint32_t position, uint32_t count, unsigned reduce) {
    return std::min((position + ((uint32_t{1} << reduce) >> 1)) >> reduce, count - 1);
}

template <class T> void nearest(const T *from, const Shape &shape, unsigned char *to, size_t stride) {
    const size_t items = size_t(shape.columns) * shape.channels;
    const size_t source_items = size_t(shape.source_columns) * shape.channels;
    uint32_t done = shape.source_rows; // the source row that the row before shows
    for (uint32_t y = 0; y < shape.rows; ++y, to += stride) {
        const uint32_t i = nearest_to(y, shape.source_rows, shape.reduce);
        auto *row = reinterpret_cast<T *>(to);
        if (i == done) {
            std::memcpy(row, to - stride, items * sizeof(T));
            continue;
        }
        done = i;
        for (uint32_t x = 0; x < shape.columns; ++x, row += shape.channels) {
            const size_t j = nearest_to(x, shape.source_columns, shape.reduce);
            const T *pixel = from + i * source_items + j * shape.channels;
            std::copy(pixel, pixel + shape.channels, row);
        }
    }
}

template <class T>
void run(const Reduced &source, const Shape &shape, const vs_target &target, size_t stride, vs_upsampling method) {
    const T *from = static_cast<const T *>(source.samples);
    unsigned char *to = static_cast<unsigned char *>(target.data) + target.offset;
    if (method == VS_NEAREST)
        return nearest(from, shape, to, stride);
    if constexpr (!std::is_integral_v<T>)
        linear<double>(from, shape, to, stride);
    else if (sizeof(T) <= 2 && shape.reduce <= 7)
        linear<int32_t>(from, shape, to, stride);
    else
        linear<int64_t>(from, shape, to, stride);
}

unsigned find_reduce(const Reduced &source, uint32_t rows, uint32_t columns) {
    // Where several fit, the source is one sample and all give the same.
    for (unsigned reduce = 0; reduce <= most_reduced; ++reduce)
        if (reduced(rows, reduce) == source.rows && reduced(columns, reduce) == source.columns)
            return reduce;
    fail(VS_BAD_ARGUMENT, "%ux%u samples are no reduced size of %ux%u", source.rows, source.columns, rows, columns);
}

} // namespace

void upsample(const Reduced &source, const vs_target &target, uint32_t rows, uint32_t columns, uint32_t channels,
              vs_upsampling method) {
    if (method != VS_NEAREST && method != VS_LINEAR)
        fail(VS_BAD_ARGUMENT, "upsampling method %d", static_cast<int>(method));
    if (channels != 1 && channels != 3)
        fail(VS_BAD_ARGUMENT, "%u channels", channels);
    if (!rows || !columns || rows > 1u << 24 || columns > 1u << 24)
        fail(VS_BAD_ARGUMENT, "%u rows, %u columns", rows, columns);
    check_place(target, rows, columns, channels);
    const Shape shape{source.rows, source.columns, rows, columns, channels, find_reduce(source, rows, columns)};
    const size_t item = size_of(static_cast<vs_dtype>(target.dtype));
    if (!source.samples || reinterpret_cast<uintptr_t>(source.samples) % item)
        fail(VS_BAD_ARGUMENT, "the samples are not aligned to %zu bytes", item);
    const uint64_t needed = uint64_t{source.rows} * source.columns * channels * item; // below 2^56
    if (source.size < needed)
        fail(VS_OUT_OF_BOUNDS, "%zu bytes of samples, %llu needed", source.size, static_cast<unsigned long long>(needed));
    const size_t stride = target.row_stride ? size_t(target.row_stride) : size_t(columns) * channels * item;
    switch (static_cast<vs_dtype>(target.dtype)) {
    case VS_INT8: return run<int8_t>(source, shape, target, stride, method);
    case VS_UINT8: return run<uint8_t>(source, shape, target, stride, method);
    case VS_INT16: return run<int16_t>(source, shape, target, stride, method);
    case VS_UINT16: return run<uint16_t>(source, shape, target, stride, method);
    case VS_INT32: return run<int32_t>(source, shape, target, stride, method);
    case VS_UINT32: return run<uint32_t>(source, shape, target, stride, method);
    case VS_FLOAT32: return run<float>(source, shape, target, stride, method);
    default: return run<double>(source, shape, target, stride, method);
    }
}

} // namespace vs
