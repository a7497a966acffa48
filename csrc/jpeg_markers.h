// jpeg_markers.h - the marker segments of a stream of the JPEG family, read without decoding. ISO 10918-1 Annex B,
// ISO 14495-1 Annex C.
#pragma once

#include "codec.h"

namespace vs {

enum Marker : uint8_t { SOF0 = 0xC0, SOF2 = 0xC2, SOF3 = 0xC3, DHT = 0xC4, JPG = 0xC8, DAC = 0xCC, SOF15 = 0xCF,
                        RST0 = 0xD0, RST7 = 0xD7, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DNL = 0xDC, DRI = 0xDD,
                        APP0 = 0xE0, APP14 = 0xEE, SOF55 = 0xF7 };

// Any SOF, whatever its process; SOF55 is JPEG-LS.
bool is_frame_header(uint8_t marker);

// Goes from one segment to the next.
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

struct JpegHeader {
    uint8_t frame_kind = 0; // the SOF marker: C0 baseline, C1 extended, C2 progressive, C3 lossless, F7 JPEG-LS
    uint8_t precision = 0;
    uint16_t rows = 0, columns = 0; // rows is 0 if a DNL marker is to tell later
    uint8_t components = 0;
    uint8_t component_ids[4] = {}, sampling[4] = {}; // of the first four; sampling is horizontal << 4 | vertical
    uint8_t near = 0;                                // of the first scan: NEAR of JPEG-LS, predictor of lossless JPEG
    bool jfif = false;
    int adobe_transform = -1; // -1 if there is no Adobe marker
};

// Adds what a frame header says; throws VS_CORRUPT if it is the second, or damaged.
void read_frame_header(const Segments::Segment &segment, JpegHeader &header);

// Walks the segments up to the first scan; false if the bytes are not such a stream or end before it.
bool read_jpeg_header(const uint8_t *data, size_t size, JpegHeader &header) noexcept;

// The part of the header that the metadata must agree with.
vs_codestream describe(vs_codec codec, const JpegHeader &header);

// Size without what follows the end marker (EOI, or EOC of JPEG 2000, both FF D9) to make the length even: zero by
// PS3.5 A.4, FF in the files of some.
size_t trim_padding(const uint8_t *data, size_t size) noexcept;

} // namespace vs
