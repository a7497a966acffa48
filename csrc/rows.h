// rows.h - loops over one row of samples, one function a pair of types, chosen once a frame.
//
// What every frame needs is done in one pass over memory; what few need has a loop of its own before it. All are plain
// loops, for compilers to vectorise. Inputs need no alignment.
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

using HasNan = bool (*)(const void *in, size_t count);
HasNan has_nan_for(Sample in); // f32 and f64

// The bits of an integer sample that are its value: ((x & mask) ^ sign) - sign.
struct Field {
    uint64_t mask = ~uint64_t{0}, sign = 0;
};

// Writes value * slope + intercept of each sample, and returns the smallest and largest value before that, NaN aside;
// minimum > maximum if there is none. What the target's type cannot hold comes out as anything.
using Transform = Extent (*)(const void *in, void *out, size_t count, Field field, double slope, double intercept);

// In whole numbers, for integers with a whole slope and intercept. Integer targets: in the arithmetic of their width,
// exact if the results fit. Float32: null for samples of more than 16 bits; exact to one rounding below 2^31.
Transform affine_for(Sample in, vs_dtype out);

// The same in double, rounded once: to nearest even for integers.
Transform scale_for(Sample in, vs_dtype out);

// Reverses the bytes of each of `count` words.
using Swap = void (*)(const void *in, void *out, size_t count);
Swap swap_for(size_t word); // of 2, 4 or 8 bytes

// Makes words of their bytes: of `count` first bytes, the most significant, then as many second ones, and so on.
using Weave = void (*)(const void *in, void *out, size_t count);
Weave weave_for(size_t word); // of 2 or 4 bytes

// out[i * step] = entries[clamp(in[i] - first)], PS3.3 C.11.1.1.1.
using Lookup = void (*)(const void *in, size_t count, const uint16_t *entries, uint32_t length, int64_t first,
                        uint16_t *out, uint32_t step);
Lookup lookup_for(Sample in);

} // namespace vs
