#include "jpeg_markers.h"

#include <cstring>

namespace vs {

namespace {

uint16_t big16(const uint8_t *p) { return uint16_t(p[0] << 8 | p[1]); }

bool starts_with(const Segments::Segment &segment, const char *text, size_t length) {
    return segment.size >= length && std::memcmp(segment.data, text, length) == 0;
}

} // namespace

bool is_frame_header(uint8_t marker) {
    const bool is_sof = marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
    return is_sof || marker == SOF55;
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
    const size_t length = big16(at_);
    if (length < 2)
        fail(VS_CORRUPT, "a JPEG segment of %zu bytes", length);
    if (static_cast<size_t>(end_ - at_) < length)
        fail(VS_TRUNCATED, "the JPEG ends within a segment");
    const Segment segment{marker, at_ + 2, length - 2};
    at_ += length;
    return segment;
}

void read_frame_header(const Segments::Segment &segment, JpegHeader &header) {
    if (header.frame_kind != 0)
        fail(VS_CORRUPT, "a second JPEG frame header");
    const uint8_t *body = segment.data;
    if (segment.size < 6 || segment.size < 6 + 3 * size_t(body[5]))
        fail(VS_CORRUPT, "a JPEG frame header of %zu bytes", segment.size);
    header.frame_kind = segment.marker;
    header.precision = body[0];
    header.rows = big16(body + 1);
    header.columns = big16(body + 3);
    header.components = body[5];
    for (size_t i = 0; i < header.components && i < 4; ++i) {
        header.component_ids[i] = body[6 + 3 * i];
        header.sampling[i] = body[7 + 3 * i];
    }
}

bool read_jpeg_header(const uint8_t *data, size_t size, JpegHeader &header) noexcept {
    if (size < 4 || data[0] != 0xFF || data[1] != SOI)
        return false;
    try {
        Segments segments(data + 2, size - 2);
        for (;;) {
            const auto segment = segments.next();
            if (is_frame_header(segment.marker))
                read_frame_header(segment, header);
            else if (segment.marker == APP0 && starts_with(segment, "JFIF", 5))
                header.jfif = true;
            else if (segment.marker == APP14 && segment.size >= 12 && starts_with(segment, "Adobe", 5))
                header.adobe_transform = segment.data[11];
            else if (segment.marker == EOI)
                return false;
            else if (segment.marker == SOS) {
                if (segment.size < 1 || segment.size < 2 + 2 * size_t(segment.data[0]))
                    return false;
                header.near = segment.data[1 + 2 * size_t(segment.data[0])];
                return header.frame_kind != 0;
            }
        }
    } catch (const Error &) {
        return false;
    }
}

vs_codestream describe(vs_codec codec, const JpegHeader &header) {
    vs_codestream stream{};
    stream.codec = static_cast<uint8_t>(codec);
    stream.rows = header.rows;
    stream.columns = header.columns;
    stream.components = header.components;
    stream.precision = header.precision;
    stream.is_lossy = codec == VS_CODEC_JPEG || (codec == VS_CODEC_JPEG_LS && header.near != 0);
    stream.is_reversible = !stream.is_lossy;
    return stream;
}

size_t trim_padding(const uint8_t *data, size_t size) noexcept {
    size_t end = size;
    while (end > 2 && (data[end - 1] == 0 || data[end - 1] == 0xFF))
        --end;
    return end >= 2 && data[end - 2] == 0xFF && data[end - 1] == 0xD9 ? end : size;
}

} // namespace vs
