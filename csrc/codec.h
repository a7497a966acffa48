// codec.h - what a codec is, inside the core: encoded bytes in, rows of stored values out, in order from the top.
//
// Codecs know nothing of rescale, dtype or where voxels go; the sink (place.cpp) knows nothing of codecs. Errors
// are thrown as vs::Error and become a status at the C boundary (frame.cpp), the only place that catches.
#pragma once

#include "volstream.h"

#include <cstddef>
#include <cstdint>

namespace vs {

struct Error {
    vs_status status;
    char message[232];
};

// Throws Error with a printf-style message.
[[noreturn]] void fail(vs_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

enum class Sample : uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 };

// One component of one row. `step` counts samples from a pixel to the next: 1 where components are apart,
// their number where they are interleaved.
struct Plane {
    const void *samples;
    Sample type;
    uint32_t step;
};

class Sink {
public:
    // Before the first row, from codecs whose streams describe themselves. Throws VS_MISMATCH if the metadata
    // contradict it.
    virtual void begin(const vs_codestream &stream) = 0;

    // Row `y` from the top, one plane a component; each row once, in any order. The samples need no alignment.
    virtual void row(uint32_t y, const Plane *planes) = 0;

protected:
    ~Sink() = default;
};

struct Encoded {
    const vs_frame &frame;
    const uint8_t *data;
    size_t size;
    uint32_t rows, columns; // of the rows to deliver: the frame's, after `reduce`
};

using Decode = void (*)(const Encoded &, Sink &);
// False if the bytes are not this codec's; throws nothing.
using Probe = bool (*)(const uint8_t *data, size_t size, vs_codestream &out);

struct Codec {
    vs_codec_info info;
    Decode decode; // null if it is not built in
    Probe probe;   // null if the encoding has no signature
    // True if three components arrive as RGB whatever the photometric interpretation says of the stored ones: a DCT
    // JPEG tells by its own markers (JFIF, Adobe, component ids) what was stored. The sink then converts nothing.
    bool gives_rgb = false;
};

// One object a codec file; frame.cpp lists them in the order of vs_codec.
extern const Codec raw_codec, raw_be_codec, rle_codec, jpeg_codec, jpeg_lossless_codec, jpeg_ls_codec,
    jpeg_2000_codec, htj2k_codec;

} // namespace vs
