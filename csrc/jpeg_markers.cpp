#include "jpeg_markers.h"

#include <cstring>

namespace vs {

namespace {

unsigned big16(const uint8_t *p) { return unsigned(p[0]) << 8 | p[1]; }

bool is_frame_marker(uint8_t marker) {
    if (marker == 0xF7)
        return true; // SOF55, JPEG-LS
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool read_frame(uint8_t marker, const uint8_t *body, size_t length, JpegHeader &header) {
    if (length < 6 || header.frame_kind != 0 || length < 6 + 3 * size_t(body[5]))
        return false;
    header.frame_kind = marker;
    header.precision = body[0];
    header.rows = uint16_t(big16(body + 1));
    header.columns = uint16_t(big16(body + 3));
    header.components = body[5];
    for (size_t i = 0; i < header.components && i < 4; ++i) {
        header.component_ids[i] = body[6 + 3 * i];
        header.sampling[i] = body[7 + 3 * i];
    }
    return true;
}

} // namespace

bool read_jpeg_header(const uint8_t *data, size_t size, JpegHeader &header) noexcept {
    if (size < 4 || data[0] != 0xFF || data[1] != 0xD8)
        return false;
    size_t at = 2;
    while (size - at >= 4) {
        if (data[at] != 0xFF)
            return false;
        const uint8_t marker = data[at + 1];
        if (marker == 0xFF) { // fill bytes may precede a marker, ISO 10918-1 B.1.1.2
            ++at;
            continue;
        }
        const size_t length = big16(data + at + 2);
        if (length < 2 || length > size - at - 2)
            return false;
        const uint8_t *body = data + at + 4;
        const size_t body_length = length - 2;
        if (is_frame_marker(marker)) {
            if (!read_frame(marker, body, body_length, header))
                return false;
        } else if (marker == 0xE0 && body_length >= 5 && std::memcmp(body, "JFIF", 5) == 0) {
            header.jfif = true;
        } else if (marker == 0xEE && body_length >= 12 && std::memcmp(body, "Adobe", 5) == 0) {
            header.adobe_transform = body[11];
        } else if (marker == 0xDA) {
            if (body_length < 1 || body_length < 2 + 2 * size_t(body[0]))
                return false;
            header.near = body[1 + 2 * size_t(body[0])];
            return header.frame_kind != 0;
        }
        at += 2 + length;
    }
    return false;
}

size_t trim_padding(const uint8_t *data, size_t size) noexcept {
    size_t end = size;
    while (end > 2 && (data[end - 1] == 0 || data[end - 1] == 0xFF))
        --end;
    return end >= 2 && data[end - 2] == 0xFF && data[end - 1] == 0xD9 ? end : size;
}

} // namespace vs
