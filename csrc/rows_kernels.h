// rows_kernels.h - the loops of rows.h. rows.cpp includes this file once for each instruction set, within a namespace,
// so it has no include guard and includes nothing.

template <class T> T load(const void *row, size_t i) {
    T value;
    std::memcpy(&value, static_cast<const unsigned char *>(row) + i * sizeof(T), sizeof(T));
    return value;
}

template <class Out, class Bits>
void unpack_step(const void *in, uint32_t step, Out *out, size_t count, unsigned left, unsigned right) {
    for (size_t i = 0; i < count; ++i) {
        const Bits bits = load<Bits>(in, i * step);
        out[i] = static_cast<Out>(static_cast<Out>(static_cast<Bits>(bits << left)) >> right);
    }
}

template <class Out>
void unpack(const void *in, uint32_t step, void *out, size_t count, unsigned left, unsigned right) {
    using Bits = std::make_unsigned_t<Out>;
    auto *to = static_cast<Out *>(out);
    switch (step) { // constant steps vectorise
    case 1: unpack_step<Out, Bits>(in, 1, to, count, left, right); break;
    case 3: unpack_step<Out, Bits>(in, 3, to, count, left, right); break;
    default: unpack_step<Out, Bits>(in, step, to, count, left, right);
    }
}

template <class T>
void clamp(const void *in, uint32_t step, void *out, size_t count, int64_t low, int64_t high, unsigned right) {
    const T least = static_cast<T>(low), most = static_cast<T>(high);
    auto *to = static_cast<T *>(out);
    for (size_t i = 0; i < count; ++i) {
        const T x = load<T>(in, i * step);
        to[i] = static_cast<T>((x < least ? least : x > most ? most : x) >> right);
    }
}

template <class In> bool has_nan(const void *in, size_t count) {
    bool found = false;
    for (size_t i = 0; i < count; ++i)
        found |= std::isnan(load<In>(in, i));
    return found;
}

// Feeds each value to `write(i, value)`.
template <class In, class Write> Extent each(const void *in, size_t count, Field field, Write write) {
    if constexpr (std::is_floating_point_v<In>) {
        constexpr In infinity = std::numeric_limits<In>::infinity();
        In low = infinity, high = -infinity;
        for (size_t i = 0; i < count; ++i) {
            const In x = load<In>(in, i);
            low = std::min(low, x);
            high = std::max(high, x);
            write(i, x);
        }
        return {low, high};
    } else {
        using Bits = std::make_unsigned_t<In>;
        const auto mask = static_cast<Bits>(field.mask), sign = static_cast<Bits>(field.sign);
        In low = std::numeric_limits<In>::max(), high = std::numeric_limits<In>::min();
        for (size_t i = 0; i < count; ++i) {
            const auto bits = static_cast<Bits>((load<Bits>(in, i) & mask) ^ sign);
            const auto x = static_cast<In>(static_cast<Bits>(bits - sign));
            low = std::min(low, x);
            high = std::max(high, x);
            write(i, x);
        }
        return {static_cast<double>(low), static_cast<double>(high), static_cast<uint64_t>(low),
                static_cast<uint64_t>(high)};
    }
}

template <class In, class Out>
Extent affine(const void *in, void *out, size_t count, Field field, double slope, double intercept) {
    // Unsigned, and at least as wide as int so that nothing is promoted back to signed: wrapping is defined.
    using Word = std::conditional_t<(sizeof(Out) < 4), uint16_t, uint32_t>;
    const auto factor = static_cast<Word>(static_cast<int64_t>(slope));
    const auto addend = static_cast<Word>(static_cast<int64_t>(intercept));
    auto *to = static_cast<Out *>(out);
    const auto put = [to](size_t i, Word word) {
        if constexpr (std::is_floating_point_v<Out>)
            to[i] = static_cast<Out>(static_cast<int32_t>(word));
        else
            to[i] = static_cast<Out>(word);
    };
    if (factor == 1)
        return each<In>(in, count, field,
                        [=](size_t i, In x) { put(i, static_cast<Word>(static_cast<Word>(x) + addend)); });
    return each<In>(in, count, field, [=](size_t i, In x) {
        const uint32_t word = static_cast<Word>(x);
        put(i, static_cast<Word>(word * factor + addend));
    });
}

template <class In, class Out>
Extent scale(const void *in, void *out, size_t count, Field field, double slope, double intercept) {
    auto *to = static_cast<Out *>(out);
    return each<In>(in, count, field, [=](size_t i, In value) {
        const double product = static_cast<double>(value) * slope;
        const double x = product + intercept;
        if constexpr (std::is_floating_point_v<Out>) {
            to[i] = static_cast<Out>(x);
        } else { // 1.5 * 2^52 leaves no room for a fraction: the sum is rounded, its low bits are the whole number
            const double sum = x + 6755399441055744.0;
            uint64_t bits;
            std::memcpy(&bits, &sum, sizeof bits);
            to[i] = static_cast<Out>(bits);
        }
    });
}

template <class Word> void swap(const void *in, void *out, size_t count) {
    auto *to = static_cast<Word *>(out);
    for (size_t i = 0; i < count; ++i) {
        const Word x = load<Word>(in, i);
        Word y = 0;
        for (size_t b = 0; b < sizeof(Word); ++b)
            y = static_cast<Word>((y << 8) | ((x >> (8 * b)) & 0xFF));
        to[i] = y;
    }
}

template <class Word> void weave(const void *in, void *out, size_t count) {
    const auto *bytes = static_cast<const unsigned char *>(in);
    auto *to = static_cast<Word *>(out);
    for (size_t i = 0; i < count; ++i) {
        Word word = 0;
        for (size_t b = 0; b < sizeof(Word); ++b)
            word = static_cast<Word>((word << 8) | bytes[b * count + i]);
        to[i] = word;
    }
}

template <class In>
void lookup(const void *in, size_t count, const uint16_t *entries, uint32_t length, int64_t first, uint16_t *out,
            uint32_t step) {
    const int64_t last = first + static_cast<int64_t>(length) - 1;
    for (size_t i = 0; i < count; ++i) {
        const In x = load<In>(in, i);
        // No int64_t holds the upper half of uint64_t.
        const bool is_above = std::is_same_v<In, uint64_t> && x > In(std::numeric_limits<int64_t>::max());
        const int64_t value = is_above ? last : static_cast<int64_t>(x);
        out[i * step] = entries[(value < first ? first : value > last ? last : value) - first];
    }
}

template <class In> Transform affine_from(vs_dtype out) {
    switch (out) {
    case VS_INT8: return affine<In, int8_t>;
    case VS_UINT8: return affine<In, uint8_t>;
    case VS_INT16: return affine<In, int16_t>;
    case VS_UINT16: return affine<In, uint16_t>;
    case VS_INT32: return affine<In, int32_t>;
    case VS_UINT32: return affine<In, uint32_t>;
    case VS_FLOAT32:
        if constexpr (sizeof(In) <= 2)
            return affine<In, float>;
        [[fallthrough]];
    default: return nullptr;
    }
}

template <class In> Transform scale_from(vs_dtype out) {
    switch (out) {
    case VS_INT8: return scale<In, int8_t>;
    case VS_UINT8: return scale<In, uint8_t>;
    case VS_INT16: return scale<In, int16_t>;
    case VS_UINT16: return scale<In, uint16_t>;
    case VS_INT32: return scale<In, int32_t>;
    case VS_UINT32: return scale<In, uint32_t>;
    case VS_FLOAT32: return scale<In, float>;
    case VS_FLOAT64: return scale<In, double>;
    default: return nullptr;
    }
}

Unpack unpack_for(Sample in, bool is_signed) {
    switch (size_of(in)) {
    case 1: return is_signed ? unpack<int8_t> : unpack<uint8_t>;
    case 2: return is_signed ? unpack<int16_t> : unpack<uint16_t>;
    case 4: return is_signed ? unpack<int32_t> : unpack<uint32_t>;
    default: return is_signed ? unpack<int64_t> : unpack<uint64_t>;
    }
}

Clamp clamp_for(Sample in) {
    constexpr Clamp table[] = {clamp<uint8_t>,  clamp<int8_t>,  clamp<uint16_t>,
                               clamp<int16_t>, clamp<uint32_t>, clamp<int32_t>};
    return table[static_cast<int>(in)];
}

HasNan has_nan_for(Sample in) { return in == Sample::f32 ? has_nan<float> : has_nan<double>; }

Transform affine_for(Sample in, vs_dtype out) {
    switch (in) {
    case Sample::u8: return affine_from<uint8_t>(out);
    case Sample::i8: return affine_from<int8_t>(out);
    case Sample::u16: return affine_from<uint16_t>(out);
    case Sample::i16: return affine_from<int16_t>(out);
    case Sample::u32: return affine_from<uint32_t>(out);
    case Sample::i32: return affine_from<int32_t>(out);
    case Sample::u64: return affine_from<uint64_t>(out);
    case Sample::i64: return affine_from<int64_t>(out);
    default: return nullptr;
    }
}

Transform scale_for(Sample in, vs_dtype out) {
    switch (in) {
    case Sample::u8: return scale_from<uint8_t>(out);
    case Sample::i8: return scale_from<int8_t>(out);
    case Sample::u16: return scale_from<uint16_t>(out);
    case Sample::i16: return scale_from<int16_t>(out);
    case Sample::u32: return scale_from<uint32_t>(out);
    case Sample::i32: return scale_from<int32_t>(out);
    case Sample::u64: return scale_from<uint64_t>(out);
    case Sample::i64: return scale_from<int64_t>(out);
    case Sample::f32: return scale_from<float>(out);
    default: return scale_from<double>(out);
    }
}

Swap swap_for(size_t word) { return word == 2 ? swap<uint16_t> : word == 4 ? swap<uint32_t> : swap<uint64_t>; }

Weave weave_for(size_t word) { return word == 2 ? weave<uint16_t> : weave<uint32_t>; }

Lookup lookup_for(Sample in) {
    constexpr Lookup table[] = {lookup<uint8_t>,  lookup<int8_t>,  lookup<uint16_t>, lookup<int16_t>,
                                lookup<uint32_t>, lookup<int32_t>, lookup<uint64_t>, lookup<int64_t>};
    return is_float(in) ? nullptr : table[static_cast<int>(in)];
}
