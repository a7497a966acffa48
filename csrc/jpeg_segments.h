// jpeg_segments.h - the marker segments of a JPEG lossless stream, one after another. ISO 10918-1 B.1.1.
#pragma once

#include "codec.h"

namespace vs {

enum Marker : uint8_t { SOF0 = 0xC0, SOF3 = 0xC3, DHT = 0xC4, JPG = 0xC8, DAC = 0xCC, SOF15 = 0xCF, RST0 = 0xD0,
                        RST7 = 0xD7, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DNL = 0xDC, DRI = 0xDD };

// Any SOF, whatever its process.
bool is_frame_header(uint8_t marker);

class Segments {
public:
    Segments(const uint8_t *data, size_t size) : at_(data), end_(data + size) {}

    struct Segment {
        uint8_t marker;
        const uint8_t *data;
        size_t size;
    };

    // Throws VS_TRUNCATED at the end of the data, VS_CORRUPT where no segment is.
    Segment next();

    const uint8_t *at() const { return at_; }
    void skip_to(const uint8_t *at) { at_ = at; }

private:
    const uint8_t *at_, *end_;
};

} // namespace vs
