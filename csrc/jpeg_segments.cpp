#include "jpeg_segments.h"

namespace vs {

bool is_frame_header(uint8_t marker) {
    return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
}

Segments::Segment Segments::next() {
    if (at_ == end_)
        fail(VS_TRUNCATED, "the JPEG ends before its last row");
    if (*at_ != 0xFF)
        fail(VS_CORRUPT, "a JPEG marker was expected, not byte %02X", *at_);
    while (at_ != end_ && *at_ == 0xFF) // any number of fill bytes, B.1.1.2
        ++at_;
    if (at_ == end_)
        fail(VS_TRUNCATED, "the JPEG ends within a marker");
    const uint8_t marker = *at_++;
    if (marker == SOI || marker == EOI || (marker >= RST0 && marker <= RST7))
        return {marker, at_, 0};
    if (end_ - at_ < 2)
        fail(VS_TRUNCATED, "the JPEG ends within a segment");
    const size_t length = static_cast<size_t>(at_[0] << 8 | at_[1]);
    if (length < 2)
        fail(VS_CORRUPT, "a JPEG segment of %zu bytes", length);
    if (static_cast<size_t>(end_ - at_) < length)
        fail(VS_TRUNCATED, "the JPEG ends within a segment");
    const Segment segment{marker, at_ + 2, length - 2};
    at_ += length;
    return segment;
}

} // namespace vs
