#include "j2k_mend.h"

#include "j2k_packets.h"
#include "j2k_resolutions.h"
#include "j2k_tile_parts.h"
#include "scratch.h"

#include <cstring>

namespace vs {

namespace {

class Writer {
public:
    explicit Writer(uint8_t *at) : begin_(at), at_(at) {}

    void bytes(const uint8_t *from, size_t count) {
        std::memcpy(at_, from, count);
        at_ += count;
    }
    void big16(unsigned value) {
        *at_++ = uint8_t(value >> 8);
        *at_++ = uint8_t(value);
    }
    void big32(uint32_t value) {
        big16(value >> 16);
        big16(value & 0xFFFF);
    }
    void byte(uint8_t value) { *at_++ = value; }
    size_t size() const { return size_t(at_ - begin_); }

private:
    uint8_t *begin_, *at_;
};

// Marker segments from `at` to `end`, without those that list lengths.
void copy_segments(const J2kHeader &header, size_t at, size_t end, Writer &out) {
    while (at < end) {
        const unsigned marker = big16(header.data + at);
        const size_t length = 2 + big16(header.data + at + 2);
        if (marker != TLM && marker != PLM && marker != PLT)
            out.bytes(header.data + at, length);
        at += length;
    }
}

void write_empty_packet(const J2kHeader &header, uint64_t index, Writer &out) {
    if (header.may_have_sop) {
        out.big16(SOP);
        out.big16(4);
        out.big16(index & 0xFFFF);
    }
    out.byte(0);
    if (header.has_eph)
        out.big16(EPH);
}

} // namespace

J2kHeader mend_j2k(const J2kHeader &header) {
    if (!is_resolution_major(header))
        fail(VS_UNSUPPORTED, "a cut JPEG 2000 codestream whose order is not by resolution");
    const J2kPackets packets = read_packets(header);
    uint64_t total = 0;
    for (unsigned i = 0; i <= header.levels; ++i)
        total += packets_of(header, i);
    constexpr uint64_t most_packets = 1 << 20, most_bytes = 0x7FFFFFFF;
    if (!packets.is_sound)
        fail(VS_CORRUPT, "the packets of the cut JPEG 2000 codestream contradict each other");
    if (total > most_packets || header.size > most_bytes)
        fail(VS_UNSUPPORTED, "a cut JPEG 2000 codestream of %llu packets", static_cast<unsigned long long>(total));
    if (packets.whole == 0)
        fail(VS_TRUNCATED, "the JPEG 2000 codestream ends within its first packet (%zu bytes)", header.size);

    constexpr size_t most_of_packet = 9, ends_of_stream = 2 + 12 + 2 + 2; // SOC, SOT, SOD, EOC
    uint8_t *data = scratch(SCRATCH_STREAM, header.size + total * most_of_packet + ends_of_stream);
    Writer out(data);
    out.big16(SOC);
    copy_segments(header, 2, header.first_tile, out);
    const size_t tile_part = out.size();
    out.big16(SOT);
    out.big16(10);
    out.big16(0);
    out.big32(0); // its length, below
    out.big16(1); // the first part of one
    const size_t first_header = header.first_tile + 12;
    copy_segments(header, first_header, size_t(packets.runs[0].begin) - 2, out);
    out.big16(SOD);
    for (const auto &run : packets.runs)
        out.bytes(header.data + run.begin, size_t(run.end - run.begin));
    for (uint64_t i = packets.whole; i < total; ++i)
        write_empty_packet(header, i, out);
    Writer(data + tile_part + 6).big32(uint32_t(out.size() - tile_part));
    out.big16(EOC);

    J2kHeader mended;
    if (!read_j2k_header(data, out.size(), mended))
        fail(VS_CORRUPT, "the JPEG 2000 header is damaged");
    return mended;
}

} // namespace vs
