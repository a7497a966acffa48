// libFuzzer target: a codestream, whole, cut or damaged. What its markers and packet headers tell must be in order, and
// what is mended must be whole. No codec library is needed: -DVOLSTREAM_CODECS=off.
#include "j2k_mend.h"
#include "j2k_packets.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t ends[VS_RESOLUTIONS];
    uint32_t count = 0;
    if (vs_resolution_ends(data, size, ends, &count) != VS_OK)
        return 0;
    for (uint32_t i = 1; i < count; ++i)
        if (ends[i] > ends[i - 1] && ends[i - 1] != 0)
            std::abort();

    vs::J2kHeader header;
    if (!vs::read_j2k_header(data, size, header))
        std::abort();
    try {
        const vs::J2kHeader mended = vs::mend_j2k(header);
        const vs::J2kPackets packets = vs::read_packets(mended);
        uint64_t total = 0;
        for (unsigned i = 0; i <= mended.levels; ++i)
            total += vs::packets_of(mended, i);
        if (!packets.is_sound || packets.whole != total || !vs::is_complete(mended))
            std::abort();
    } catch (const vs::Error &) {
    }
    return 0;
}
