#include "rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#if defined(__x86_64__) && defined(__GNUC__)
#define VS_HAS_AVX2 1
#endif

namespace vs {
namespace {

namespace baseline {
#include "rows_kernels.h"
}

// The same source once more, for the processors of the last ten years: twice to four times as fast. And again for
// those that convert between double and 64-bit integers.
#ifdef VS_HAS_AVX2
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
namespace avx2 {
#include "rows_kernels.h"
}
#ifdef __clang__
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif
namespace avx512 {
#include "rows_kernels.h"
}
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const bool use_avx2 = __builtin_cpu_supports("avx2");
const bool use_avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
#define VS_PICK(function) (use_avx512 ? avx512::function : use_avx2 ? avx2::function : baseline::function)
#else
#define VS_PICK(function) (baseline::function)
#endif

} // namespace

Unpack unpack_for(Sample in, bool is_signed) { return VS_PICK(unpack_for)(in, is_signed); }
Clamp clamp_for(Sample in) { return VS_PICK(clamp_for)(in); }
HasNan has_nan_for(Sample in) { return VS_PICK(has_nan_for)(in); }
Transform affine_for(Sample in, vs_dtype out) { return VS_PICK(affine_for)(in, out); }
Transform scale_for(Sample in, vs_dtype out) { return VS_PICK(scale_for)(in, out); }
Swap swap_for(size_t word) { return VS_PICK(swap_for)(word); }
Weave weave_for(size_t word) { return VS_PICK(weave_for)(word); }
Lookup lookup_for(Sample in) { return VS_PICK(lookup_for)(in); }

} // namespace vs
