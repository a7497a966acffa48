// rows.h - loops over one row of samples, one function a pair of types, chosen once a frame.
//
// Rows are short enough to stay in the first-level cache, so several simple loops that compilers vectorise beat one
// clever loop. Inputs need no alignment.
#pragma once

#include "codec.h"

#include <cstring>

namespace vs {

constexpr size_t size_of(Sample type) {
    return type <= Sample::i8 ? 1 : type <= Sample::i16 ? 2 : type <= Sample::i32 || type == Sample::f32 ? 4 : 8;
}

constexpr bool is_float(Sample type) { return type >= Sample::f32; }

struct Extent {
    double minimum, maximum;
    uint64_t least = 0, most = 0; // integers' minimum and maximum modulo 2^64: exact where doubles are rounded
};

// Takes each `step`-th sample, drops `left` high bits, then shifts right by `right`, extending the sign if the
// output is signed: what BitsStored, HighBit and PixelRepresentation ask for (PS3.5 8.1.1).
using Unpack = void (*)(const void *in, uint32_t step, void *out, size_t count, unsigned left, unsigned right);
Unpack unpack_for(Sample in, bool is_signed);

// Takes each `step`-th sample, clamps it to low .. high, which its type holds, then shifts right by `right`.
using Clamp = void (*)(const void *in, uint32_t step, void *out, size_t count, int64_t low, int64_t high, unsigned right);
Clamp clamp_for(Sample in); // integers of at most 32 bits, as codestreams have

// Smallest and largest value, NaN aside; minimum > maximum if there is none.
using Range = Extent (*)(const void *in, size_t count);
Range range_for(Sample in);

using HasNan = bool (*)(const void *in, size_t count);
HasNan has_nan_for(Sample in); // f32 and f64

// in * slope + intercept in the arithmetic of the output's width: exact if the results are known to fit.
using Affine = void (*)(const void *in, void *out, size_t count, int64_t slope, int64_t intercept);
Affine affine_for(Sample in, vs_dtype out);

// The same in double, rounded once: to nearest even for integers, which must be known to fit.
using Scale = void (*)(const void *in, void *out, size_t count, double slope, double intercept);
Scale scale_for(Sample in, vs_dtype out);

// out[i * step] = entries[clamp(in[i] - first)], PS3.3 C.11.1.1.1.
using Lookup = void (*)(const void *in, size_t count, const uint16_t *entries, uint32_t length, int64_t first,
                        uint16_t *out, uint32_t step);
Lookup lookup_for(Sample in);

} // namespace vs
