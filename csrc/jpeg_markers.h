// jpeg_markers.h - the header of a stream of the JPEG family, read without decoding. ISO 10918-1 Annex B, ISO 14495-1
// Annex C.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vs {

struct JpegHeader {
    uint8_t frame_kind =
        0; // low byte of the SOF marker: C0 baseline, C1 extended, C2 progressive, C3 lossless, F7 JPEG-LS
    uint8_t precision = 0;
    uint16_t rows = 0, columns = 0; // rows is 0 if a DNL marker is to tell later
    uint8_t components = 0;
    uint8_t component_ids[4] = {}, sampling[4] = {}; // of the first four; sampling is horizontal << 4 | vertical
    uint8_t near = 0;                                // of the first scan: NEAR of JPEG-LS, predictor of lossless JPEG
    bool jfif = false;
    int adobe_transform = -1; // -1 if there is no Adobe marker
};

// Walks the marker segments up to the first scan; false if the bytes are not such a stream or end before it.
bool read_jpeg_header(const uint8_t *data, size_t size, JpegHeader &header) noexcept;

// Size without what follows the end marker (EOI, or EOC of JPEG 2000, both FF D9) to make the length even: zero by
// PS3.5 A.4, FF in the files of some.
size_t trim_padding(const uint8_t *data, size_t size) noexcept;

} // namespace vs
