// HTJ2K through OpenJPH, row by row; through OpenJPEG where only that is built in.
#include "j2k_markers.h"

#ifdef VOLSTREAM_OPENJPH

#include "openjph_messages.h"
#include "scratch.h"

#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>
#include <openjph/ojph_version.h>

#include <algorithm>
#include <memory>
#include <new>

#define VS_TEXT(x) #x
#define VS_VERSION(major, minor, patch) VS_TEXT(major) "." VS_TEXT(minor) "." VS_TEXT(patch)
#define VS_OJPH_AT_LEAST(major, minor)                                                                                 \
    (OPENJPH_VERSION_MAJOR > (major) || (OPENJPH_VERSION_MAJOR == (major) && OPENJPH_VERSION_MINOR >= (minor)))

namespace vs {

namespace {

// One codestream object a thread: its memory serves frame after frame. It is thrown away after any error.
struct Decoder {
    std::unique_ptr<ojph::codestream> stream;

    ojph::codestream &fresh() {
#if VS_OJPH_AT_LEAST(0, 22)
        if (stream) {
            stream->restart();
            return *stream;
        }
#endif
        stream = std::make_unique<ojph::codestream>();
        return *stream;
    }
};
thread_local Decoder decoder;

// The reversible transform of damaged, cut or reduced data can leave the range that the precision allows.
template <class T> void narrow(const ojph::si32 *from, uint32_t count, int32_t low, int32_t high, T *to) {
    for (uint32_t x = 0; x < count; ++x)
        to[x] = T(std::min(std::max(int32_t(from[x]), low), high));
}

Plane narrow_row(const ojph::si32 *from, uint32_t count, const J2kHeader &header, void *to) {
    const int bits = header.precision;
    const int32_t high = int32_t((int64_t(1) << (bits - header.is_signed)) - 1);
    const int32_t low = header.is_signed ? -high - 1 : 0;
    const auto as = [&](auto *row, Sample type) -> Plane {
        narrow(from, count, low, high, row);
        return {row, type, 1};
    };
    if (bits > 16)
        return as(static_cast<int32_t *>(to), Sample::i32);
    if (bits > 8)
        return header.is_signed ? as(static_cast<int16_t *>(to), Sample::i16)
                                : as(static_cast<uint16_t *>(to), Sample::u16);
    return header.is_signed ? as(static_cast<int8_t *>(to), Sample::i8) : as(static_cast<uint8_t *>(to), Sample::u8);
}

void pull_rows(ojph::codestream &stream, const J2kHeader &header, const Encoded &encoded, Sink &sink) {
    const size_t row_bytes = size_t(encoded.columns) * sizeof(int32_t);
    uint8_t *rows = scratch(SCRATCH_SAMPLES, row_bytes * header.components);
    Plane planes[4];
    for (uint32_t y = 0; y < encoded.rows; ++y) {
        for (uint32_t i = 0; i < header.components; ++i) {
            ojph::ui32 component = 0;
            const ojph::line_buf *line = stream.pull(component);
            if (!line || component != i || line->size < encoded.columns)
                fail(VS_CORRUPT, "OpenJPH gave no row %u", y);
            planes[i] = narrow_row(line->i32, encoded.columns, header, rows + i * row_bytes);
        }
        sink.row(y, planes);
    }
}

// False, before any row is given, if the stream has marker segments that OpenJPH would ignore.
bool decode_openjph(const J2kHeader &header, const Encoded &encoded, Sink &sink) {
    OpenjphMessages &messages = openjph_messages();
    messages = OpenjphMessages{};
    ojph::mem_infile file;
    ojph::codestream &stream = decoder.fresh();
    file.open(header.data, header.size);
    stream.read_headers(&file);
    if (messages.warned)
        return false;
    stream.restrict_input_resolution(encoded.frame.reduce, encoded.frame.reduce);
    stream.set_planar(false);
    ojph::param_siz size = stream.access_siz();
    for (uint32_t i = 0; i < header.components; ++i)
        if (size.get_recon_width(i) != encoded.columns || size.get_recon_height(i) != encoded.rows)
            fail(VS_UNSUPPORTED, "OpenJPH would decode %ux%u samples, expected %ux%u", size.get_recon_width(i),
                 size.get_recon_height(i), encoded.columns, encoded.rows);
    stream.create();
    pull_rows(stream, header, encoded, sink);
    stream.close();
    if (messages.warned)
        fail(VS_CORRUPT, "OpenJPH: %s", messages.text);
    return true;
}

// OpenJPH reads neither the older block coder nor several quality layers. Old versions (0.9 for one; 0.26 does not)
// give wrong samples where a tile is halved on after it has come down to one sample.
bool is_for_openjph(const J2kHeader &header) {
    if (!header.high_throughput || header.layers != 1)
        return false;
    if (VS_OJPH_AT_LEAST(0, 26) || header.levels == 0)
        return true;
    return header.tiles == 1 &&
           uint64_t(std::max(header.rows, header.columns)) << 1 > uint64_t(1) << std::min<int>(header.levels, 33);
}

bool try_openjph(const J2kHeader &header, const Encoded &encoded, Sink &sink) {
    try {
        const bool is_done = decode_openjph(header, encoded, sink);
        // Its memory grows with the codestream, and with what a row of tiles needs at 4 bytes a sample.
        if (header.size + uint64_t{4} * header.rows * header.columns * header.components > scratch_limit)
            decoder.stream.reset();
        return is_done;
    } catch (const Error &) {
        decoder.stream.reset();
        throw;
    } catch (const std::bad_alloc &) {
        decoder.stream.reset();
        throw;
    } catch (...) { // runtime errors, and plain strings
        decoder.stream.reset();
        const char *text = openjph_messages().text;
        fail(VS_CORRUPT, "OpenJPH: %s", text[0] != 0 ? text : "failed without saying why");
    }
}

void decode(const Encoded &encoded, Sink &sink) {
    const J2kHeader header = begin_j2k(encoded, sink);
    if (header.components > 4 || header.precision > 31)
        fail(VS_UNSUPPORTED, "%u components of %d bits", header.components, header.precision);
    if (is_for_openjph(header) && try_openjph(header, encoded, sink))
        return;
    if (!jpeg_2000_codec.decode)
        fail(VS_UNSUPPORTED, "needs OpenJPEG, which is not built in");
    jpeg_2000_codec.decode(encoded, sink);
}

} // namespace

const Codec htj2k_codec = {{"htj2k", "OpenJPH",
                            VS_VERSION(OPENJPH_VERSION_MAJOR, OPENJPH_VERSION_MINOR, OPENJPH_VERSION_PATCH), "0.31",
                            VOLSTREAM_OPENJPH, 31},
                           decode,
                           probe_j2k};

} // namespace vs

#elif defined VOLSTREAM_OPENJPEG

#include <openjpeg.h>

namespace vs {
namespace {
void decode(const Encoded &encoded, Sink &sink) { jpeg_2000_codec.decode(encoded, sink); }
} // namespace

#if OPJ_VERSION_MAJOR > 2 || OPJ_VERSION_MINOR >= 5
const Codec htj2k_codec = {{"htj2k", "OpenJPEG", opj_version(), "2.5.4", VOLSTREAM_OPENJPEG, 31}, decode, probe_j2k};
#else
const Codec htj2k_codec = {{"htj2k", "", "", "2.5.4", "absent", 0}, nullptr, probe_j2k};
#endif
} // namespace vs

#else

namespace vs {
const Codec htj2k_codec = {{"htj2k", "", "", "0.31", "absent", 0}, nullptr, probe_j2k};
}

#endif
