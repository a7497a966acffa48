// j2k_markers.h - the main header of a JPEG 2000 or HTJ2K codestream, read without decoding. ISO 15444-1 Annex A.
#pragma once

#include "codec.h"

namespace vs {

enum J2kMarker : uint16_t { SOC = 0xFF4F, CAP = 0xFF50, SIZ = 0xFF51, COD = 0xFF52, COC = 0xFF53, TLM = 0xFF55,
                            PLM = 0xFF57, PLT = 0xFF58, POC = 0xFF5F, PPM = 0xFF60, PPT = 0xFF61, SOT = 0xFF90, SOP = 0xFF91, EPH = 0xFF92,
                            SOD = 0xFF93, EOC = 0xFFD9 };

enum J2kBlockStyle : uint8_t { BLOCK_BYPASS = 1, BLOCK_TERMINATES = 4, BLOCK_HT = 0x40, BLOCK_MIXED = 0x80 };

enum J2kProgression : uint8_t { LRCP = 0, RLCP, RPCL, PCRL, CPRL };

inline uint32_t big16(const uint8_t *p) { return uint32_t(p[0]) << 8 | p[1]; }
inline uint32_t big32(const uint8_t *p) { return big16(p) << 16 | big16(p + 2); }

struct J2kHeader {
    const uint8_t *data = nullptr; // the codestream, without the boxes of a JP2 file and without padding
    size_t size = 0;
    uint32_t rows = 0, columns = 0, tiles = 0;
    uint16_t components = 0;
    uint8_t precision = 0; // of the first component, as is_signed
    bool is_signed = false;
    bool uniform = true;          // all components have the same precision, sign and full size
    bool high_throughput = false; // ISO 15444-15
    bool reversible = false;
    uint8_t levels = 0; // wavelet decompositions
    uint16_t layers = 0;
    uint8_t progression = 0;             // J2kProgression
    uint8_t precinct_exponents[VS_RESOLUTIONS] = {}; // of each resolution from the lowest: PPx | PPy << 4, A.6.1
    uint8_t block_exponent_x = 0, block_exponent_y = 0, block_style = 0; // of code-blocks; J2kBlockStyle
    bool may_have_sop = false, has_eph = false;                          // markers around packet headers
    bool is_plain = true;         // no COC, POC or PPM: COD holds for all packets, and their headers lie within them
    uint32_t x0 = 0, y0 = 0;      // where the image begins on the reference grid
    bool ended = false;    // by an EOC marker
    size_t first_tile = 0; // offset of the first SOT marker
};

// False if the bytes are not a JPEG 2000 codestream, or end within its main header: what is still to come of that (CAP,
// another COD) could make it another one.
bool read_j2k_header(const uint8_t *data, size_t size, J2kHeader &header) noexcept;

// Whether all tile-parts that the stream announces are there in full. Decoders do not always notice a cut.
bool is_complete(const J2kHeader &header) noexcept;

// The checks that must pass before either library sees a byte; throws. Returns what is to be decoded.
J2kHeader begin_j2k(const Encoded &encoded, Sink &sink);

// One probe for both codecs: says which of them the codestream is.
bool probe_j2k(const uint8_t *data, size_t size, vs_codestream &out);

} // namespace vs
