// libFuzzer target: the multipart splitter on any bytes. However they are cut into chunks, parts and verdict agree.
#include "multipart.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct Outcome {
    std::vector<std::string> parts; // headers and body, one after the other
    vs_status status;
    std::string message;

    bool operator==(const Outcome &other) const {
        return parts == other.parts && status == other.status && message == other.message;
    }
};

// Feeds chunks of 1 to `chunk` bytes; 0: all at once. Each chunk in memory of its own, so that a byte too far shows.
Outcome split(const uint8_t *data, size_t size, bool known, size_t chunk) {
    const vs_multipart_limits limits{4096, 8, 64};
    vs_multipart *parser = vs_multipart_new("b", known ? 1 : 0, &limits);
    Outcome outcome{{}, VS_OK, ""};
    for (size_t at = 0, n = 0; at < size && outcome.status == VS_OK; at += n) {
        n = chunk ? std::min(size - at, 1 + (at * 7) % chunk) : size;
        const std::vector<uint8_t> piece(data + at, data + at + n);
        outcome.status = vs_multipart_feed(parser, piece.data(), piece.size());
    }
    if (outcome.status == VS_OK) outcome.status = vs_multipart_finish(parser);
    for (vs_part part; vs_multipart_take(parser, &part);) {
        outcome.parts.emplace_back(part.headers, part.headers_size);
        outcome.parts.emplace_back(reinterpret_cast<const char *>(part.body), part.body_size);
        if (part.body_size > limits.part) std::abort();
        std::free(part.headers);
        std::free(part.body);
    }
    if (outcome.parts.size() > 2 * limits.parts) std::abort();
    outcome.message = vs_multipart_message(parser);
    vs_multipart_free(parser);
    return outcome;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const bool known = *data & 1;
    const Outcome whole = split(data + 1, size - 1, known, 0);
    for (size_t chunk : {1, 2, 3, 11})
        if (!(split(data + 1, size - 1, known, chunk) == whole)) std::abort();
    return 0;
}
