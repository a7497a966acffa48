// JPEG 2000 through OpenJPEG, which from 2.5 on also reads HTJ2K.
#include "j2k_markers.h"
#include "scratch.h"

#ifdef VOLSTREAM_OPENJPEG

#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#define VS_OPJ_AT_LEAST(major, minor)                                                                                  \
    (OPJ_VERSION_MAJOR > (major) || (OPJ_VERSION_MAJOR == (major) && OPJ_VERSION_MINOR >= (minor)))

namespace vs {

namespace {

struct Reader {
    const uint8_t *data;
    size_t size, at;
};

OPJ_SIZE_T read(void *buffer, OPJ_SIZE_T wanted, void *user) {
    Reader &reader = *static_cast<Reader *>(user);
    const size_t count = std::min<size_t>(wanted, reader.size - reader.at);
    if (count == 0)
        return OPJ_SIZE_T(-1); // end of stream
    std::memcpy(buffer, reader.data + reader.at, count);
    reader.at += count;
    return count;
}

OPJ_OFF_T skip(OPJ_OFF_T wanted, void *user) {
    Reader &reader = *static_cast<Reader *>(user);
    if (wanted < 0)
        return -1;
    const size_t count = size_t(std::min<uint64_t>(uint64_t(wanted), reader.size - reader.at));
    reader.at += count;
    return count == 0 && wanted != 0 ? -1 : OPJ_OFF_T(count);
}

OPJ_BOOL seek(OPJ_OFF_T to, void *user) {
    Reader &reader = *static_cast<Reader *>(user);
    if (to < 0 || uint64_t(to) > reader.size)
        return OPJ_FALSE;
    reader.at = size_t(to);
    return OPJ_TRUE;
}

// Warnings about what OpenJPEG then sets right, or does not need: a tile-part count that is one too low (real files
// have that), the index of tile-part lengths.
bool is_harmless(const char *warning) { return std::strstr(warning, "TPsot==TNsot") || std::strstr(warning, "TLM"); }

// The library's first complaint, be it an error or a warning.
struct Complaint {
    char text[160] = {};

    void take(const char *message) {
        if (text[0] != 0)
            return;
        std::strncpy(text, message, sizeof text - 1);
        text[std::strcspn(text, "\r\n")] = 0;
    }
};

void on_error(const char *message, void *user) { static_cast<Complaint *>(user)->take(message); }
void on_warning(const char *message, void *user) {
    if (!is_harmless(message))
        static_cast<Complaint *>(user)->take(message);
}
void on_info(const char *, void *) {}

// opj_stream_t and opj_codec_t are both void *: the deleter tells them apart.
template <class T, void (*destroy)(T *)> struct Free {
    void operator()(T *object) const { destroy(object); }
};
using Stream = std::unique_ptr<opj_stream_t, Free<opj_stream_t, opj_stream_destroy>>;
using Decompressor = std::unique_ptr<opj_codec_t, Free<opj_codec_t, opj_destroy_codec>>;
using Image = std::unique_ptr<opj_image_t, Free<opj_image_t, opj_image_destroy>>;

Stream open_stream(Reader &reader) {
    Stream stream(opj_stream_create(std::clamp<size_t>(reader.size, 64, 1 << 16), OPJ_TRUE));
    if (!stream)
        fail(VS_NO_MEMORY, "no memory for the JPEG 2000 decoder");
    opj_stream_set_user_data(stream.get(), &reader, nullptr);
    opj_stream_set_user_data_length(stream.get(), reader.size);
    opj_stream_set_read_function(stream.get(), read);
    opj_stream_set_skip_function(stream.get(), skip);
    opj_stream_set_seek_function(stream.get(), seek);
    return stream;
}

Decompressor open_codec(const Encoded &encoded, Complaint &complaint) {
    Decompressor codec(opj_create_decompress(OPJ_CODEC_J2K));
    if (!codec)
        fail(VS_NO_MEMORY, "no memory for the JPEG 2000 decoder");
    opj_set_error_handler(codec.get(), on_error, &complaint);
    opj_set_warning_handler(codec.get(), on_warning, &complaint);
    opj_set_info_handler(codec.get(), on_info, nullptr);
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    parameters.cp_reduce = encoded.frame.reduce;
    if (!opj_setup_decoder(codec.get(), &parameters))
        fail(VS_CORRUPT, "OpenJPEG: %s", complaint.text);
    // Strict is the default; asking for it would also switch off the correction of wrong tile-part counts, and the
    // parts beyond would be dropped without a word.
    return codec;
}

void check_image(const opj_image_t &image, const J2kHeader &header, const Encoded &encoded) {
    if (image.numcomps != header.components)
        fail(VS_CORRUPT, "OpenJPEG decoded %u components of %u", image.numcomps, header.components);
    for (uint32_t i = 0; i < image.numcomps; ++i) {
        const opj_image_comp_t &component = image.comps[i];
        if (!component.data)
            fail(VS_CORRUPT, "OpenJPEG decoded no samples");
        // A codestream whose origin is not 0 can be a sample off when it is halved.
        if (component.w != encoded.columns || component.h != encoded.rows)
            fail(VS_UNSUPPORTED, "OpenJPEG decoded %ux%u samples, expected %ux%u", component.w, component.h,
                 encoded.columns, encoded.rows);
    }
}

void decode(const Encoded &encoded, Sink &sink) {
    const J2kHeader header = begin_j2k(encoded, sink);
    if (header.high_throughput && !VS_OPJ_AT_LEAST(2, 5))
        fail(VS_UNSUPPORTED, "OpenJPEG %s does not decode HTJ2K", opj_version());
    if (header.components > 4)
        fail(VS_UNSUPPORTED, "%u components", header.components);

    Reader reader{header.data, header.size, 0};
    if (!header.ended && is_complete(header)) { // OpenJPEG insists on EOC, real files lack it
        uint8_t *ended = scratch(SCRATCH_STREAM, header.size + 2);
        std::memcpy(ended, header.data, header.size);
        ended[header.size] = 0xFF;
        ended[header.size + 1] = 0xD9;
        reader = {ended, header.size + 2, 0};
    }
    Complaint complaint;
    const Stream stream = open_stream(reader);
    const Decompressor codec = open_codec(encoded, complaint);
    opj_image_t *raw = nullptr;
    bool good = opj_read_header(stream.get(), codec.get(), &raw);
    const Image image(raw);
    good = good && image && opj_decode(codec.get(), stream.get(), image.get());
    if (!good || complaint.text[0] != 0)
        fail(VS_CORRUPT, "OpenJPEG: %s", complaint.text[0] != 0 ? complaint.text : "failed without saying why");
    check_image(*image, header, encoded);

    for (uint32_t y = 0; y < encoded.rows; ++y) {
        Plane planes[4];
        for (uint32_t i = 0; i < header.components; ++i)
            planes[i] = {image->comps[i].data + size_t(y) * encoded.columns, Sample::i32, 1};
        sink.row(y, planes);
    }
}

} // namespace

const Codec jpeg_2000_codec = {
    {"jpeg-2000", "OpenJPEG", opj_version(), "2.5.4", VOLSTREAM_OPENJPEG, 31}, decode, probe_j2k};

} // namespace vs

#else

namespace vs {
const Codec jpeg_2000_codec = {{"jpeg-2000", "", "", "2.5.4", "absent", 0}, nullptr, probe_j2k};
}

#endif
