// multipart.cpp - see multipart.h. One state machine; bodies grow in malloc'ed memory that the caller takes over.
#include "multipart.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <new>
#include <string>

namespace {

constexpr size_t max_boundary = 70;          // RFC 2046 section 5.1.1
constexpr size_t max_preamble = 64 << 10;
constexpr size_t max_headers = 16 << 10;
constexpr size_t max_header_lines = 64;
constexpr size_t max_padding = 256;          // blanks after a boundary
constexpr uint64_t no_length = UINT64_MAX;

struct Stop {
    vs_status status;
};

struct Buffer {
    uint8_t *data = nullptr;
    size_t size = 0, capacity = 0;

    void reserve(size_t wanted) {
        if (wanted <= capacity) return;
        void *grown = std::realloc(data, wanted);
        if (!grown) throw std::bad_alloc();
        data = static_cast<uint8_t *>(grown);
        capacity = wanted;
    }
    void clear() {
        std::free(data);
        *this = Buffer();
    }
};

bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

// Boyer-Moore-Horspool: on pixels it looks at one byte in some forty, and needs no rare byte to be fast.
class Finder {
public:
    void set(std::string text) {
        needle_ = std::move(text);
        std::fill(std::begin(skip_), std::end(skip_), static_cast<uint8_t>(needle_.size()));
        for (size_t i = 0; i + 1 < needle_.size(); ++i)
            skip_[static_cast<uint8_t>(needle_[i])] = static_cast<uint8_t>(needle_.size() - 1 - i);
    }
    size_t size() const { return needle_.size(); }
    const std::string &text() const { return needle_; }

    // Offset of the first occurrence, or `size`.
    size_t find(const uint8_t *data, size_t size) const {
        const size_t n = needle_.size();
        const uint8_t last = static_cast<uint8_t>(needle_[n - 1]);
        for (size_t at = 0; at + n <= size; at += skip_[data[at + n - 1]])
            if (data[at + n - 1] == last && std::memcmp(data + at, needle_.data(), n) == 0) return at;
        return size;
    }

private:
    std::string needle_;
    uint8_t skip_[256]; // a needle has at most 4 + 70 bytes
};

} // namespace

struct vs_multipart {
    enum class State { preamble, headers, body, boundary, epilogue };

    std::string boundary;
    vs_multipart_limits limits;
    State state = State::preamble;
    Finder finder;         // line end, "--", boundary
    std::string pending;   // preamble: the line so far; headers: the block so far; boundary: what followed it so far
    size_t preamble = 0, line = 0, header_lines = 0; // line: where the last one starts in `pending`
    std::string headers;   // of the part whose body is being read
    Buffer body;
    uint64_t length = no_length; // the part's Content-Length
    uint64_t count = 0;
    bool bare_lf = false;
    std::deque<vs_part> done;
    char message[256] = "";

    ~vs_multipart() {
        body.clear();
        for (vs_part &part : done) {
            std::free(part.headers);
            std::free(part.body);
        }
    }

    [[noreturn]] void stop(vs_status status, const char *format, ...)
#if defined(__GNUC__)
        __attribute__((format(printf, 3, 4)))
#endif
    {
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        throw Stop{status};
    }

    void feed(const uint8_t *data, size_t size) {
        const uint8_t *end = data + size;
        while (data < end) {
            switch (state) {
            case State::preamble: data = read_preamble(data, end); break;
            case State::headers: data = read_headers(data, end); break;
            case State::body: data = read_body(data, end); break;
            case State::boundary: data = read_boundary(data, end); break;
            case State::epilogue: return;
            }
        }
    }

    // Adds to `pending` up to and with the next LF; true if the line is complete.
    bool read_line(const uint8_t *&data, const uint8_t *end, size_t limit, const char *what) {
        const void *found = std::memchr(data, '\n', static_cast<size_t>(end - data));
        const uint8_t *stop_at = found ? static_cast<const uint8_t *>(found) + 1 : end;
        const size_t size = static_cast<size_t>(stop_at - data);
        if (pending.size() + size > limit) stop(VS_RANGE, "%s is longer than %zu bytes", what, limit);
        pending.append(reinterpret_cast<const char *>(data), size);
        data = stop_at;
        return found != nullptr;
    }

    const uint8_t *read_preamble(const uint8_t *data, const uint8_t *end) {
        if (!read_line(data, end, max_preamble - preamble, "what precedes the first boundary")) return data;
        preamble += pending.size();
        std::string text;
        text.swap(pending);
        const bool lf = text.size() < 2 || text[text.size() - 2] != '\r';
        text.resize(text.size() - (lf ? 1 : 2));
        while (!text.empty() && is_blank(static_cast<uint8_t>(text.back()))) text.pop_back();
        if (text.compare(0, 2, "--") != 0) return data;
        if (boundary.empty() && text.size() > 2 && text.size() <= 2 + max_boundary) boundary = text.substr(2);
        if (boundary.empty() || text.compare(2, boundary.size(), boundary) != 0) return data;
        const std::string rest = text.substr(2 + boundary.size());
        if (!rest.empty() && rest != "--") return data;
        bare_lf = lf;
        finder.set((lf ? "\n--" : "\r\n--") + boundary);
        if (rest.empty()) start_headers();
        else state = State::epilogue;
        return data;
    }

    void start_headers() {
        if (++count > limits.parts) stop(VS_RANGE, "more than the %llu parts asked for", (unsigned long long)limits.parts);
        state = State::headers;
        header_lines = line = 0;
        pending.clear();
    }

    const uint8_t *read_headers(const uint8_t *data, const uint8_t *end) {
        if (!read_line(data, end, max_headers, "a part's header")) return data;
        const size_t size = pending.size() - line;
        const bool blank = size == 1 || (size == 2 && pending[line] == '\r');
        if (!blank) {
            if (++header_lines > max_header_lines) stop(VS_RANGE, "a part has more than %zu headers", max_header_lines);
            line = pending.size();
            return data;
        }
        pending.resize(line);
        headers.swap(pending);
        pending.clear();
        length = content_length();
        if (length != no_length && length > limits.part) too_large(length);
        body.reserve(static_cast<size_t>(std::min(length != no_length ? length : limits.reserve, limits.part)));
        state = State::body;
        return data;
    }

    [[noreturn]] void too_large(uint64_t size) {
        stop(VS_RANGE, "a part has %llu bytes, at most %llu are expected", (unsigned long long)size,
             (unsigned long long)limits.part);
    }

    // Content-Length of the current part; RFC 9110 section 8.6: digits only.
    uint64_t content_length() {
        static const char name[] = "content-length:";
        for (size_t at = 0; at < headers.size(); at = headers.find('\n', at) + 1) {
            size_t i = 0;
            while (i < sizeof name - 1 && at + i < headers.size() && (headers[at + i] | 0x20) == (name[i] | 0x20)) ++i;
            if (i < sizeof name - 1) continue;
            std::string value = headers.substr(at + i, headers.find('\n', at) - at - i);
            value.erase(0, value.find_first_not_of(" \t"));
            value.erase(value.find_last_not_of(" \t\r") + 1);
            if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string::npos)
                stop(VS_CORRUPT, "a part's Content-Length is not a size");
            return std::strtoull(value.c_str(), nullptr, 10);
        }
        return no_length;
    }

    void append(const uint8_t *data, size_t size) {
        if (size > limits.part - body.size) too_large(body.size + size);
        if (body.size + size > body.capacity)
            body.reserve(static_cast<size_t>(
                std::min<uint64_t>(limits.part, std::max<uint64_t>(body.size + size, std::max<uint64_t>(4096, 2 * body.capacity)))));
        if (size) std::memcpy(body.data + body.size, data, size);
        body.size += size;
    }

    const uint8_t *read_body(const uint8_t *data, const uint8_t *end) {
        const size_t n = finder.size();
        size_t available = static_cast<size_t>(end - data);
        if (length != no_length) {
            // The length is known: no need to look at the bytes, only at what follows them.
            if (body.size < length) {
                available = static_cast<size_t>(std::min<uint64_t>(available, length - body.size));
                append(data, available);
                return data + available;
            }
            const size_t have = pending.size(), take = std::min(available, n - have);
            pending.append(reinterpret_cast<const char *>(data), take);
            if (finder.text().compare(0, pending.size(), pending) != 0) lying_length();
            if (pending.size() == n) {
                pending.clear();
                state = State::boundary;
            }
            return data + take;
        }
        // A boundary that began in an earlier chunk.
        const size_t tail = std::min(body.size, n - 1), head = std::min(available, n - 1);
        if (tail) {
            uint8_t window[2 * (4 + max_boundary)];
            std::memcpy(window, body.data + body.size - tail, tail);
            std::memcpy(window + tail, data, head);
            const size_t at = finder.find(window, tail + head);
            if (at < tail && at + n <= tail + head) {
                body.size -= tail - at;
                state = State::boundary;
                return data + (at + n - tail);
            }
        }
        const size_t at = finder.find(data, available);
        append(data, at);
        if (at == available) return end;
        state = State::boundary;
        return data + at + n;
    }

    // After the boundary text: "--", or blanks and a line end. Anything else, and it was data.
    const uint8_t *read_boundary(const uint8_t *data, const uint8_t *end) {
        for (; data < end; ++data) {
            const uint8_t c = *data;
            const uint8_t last = pending.empty() ? 0 : static_cast<uint8_t>(pending.back());
            if (c == '\n' && (bare_lf ? last != '\r' && last != '-' : last == '\r')) {
                finish_part();
                start_headers();
                return data + 1;
            }
            if (c == '-' && last == '-') {
                finish_part();
                state = State::epilogue;
                return data + 1;
            }
            const bool goes_on = last != '\r' && last != '-' && pending.size() < max_padding &&
                                 (is_blank(c) || (c == '\r' && !bare_lf) || (c == '-' && pending.empty()));
            if (!goes_on) {
                if (length != no_length) lying_length();
                append(reinterpret_cast<const uint8_t *>(finder.text().data()), finder.size());
                append(reinterpret_cast<const uint8_t *>(pending.data()), pending.size());
                pending.clear();
                state = State::body;
                return data;
            }
            pending.push_back(static_cast<char>(c));
        }
        return data;
    }

    [[noreturn]] void lying_length() {
        stop(VS_CORRUPT, "a part's Content-Length is %llu, but no boundary follows there", (unsigned long long)length);
    }

    void finish_part() {
        pending.clear();
        if (!body.data) body.reserve(1);
        // A short body must not keep the room that was made for a long one.
        if (body.capacity > 2 * body.size + 4096)
            if (void *less = std::realloc(body.data, std::max<size_t>(body.size, 1))) body.data = static_cast<uint8_t *>(less);
        vs_part part{static_cast<char *>(std::malloc(headers.size() + 1)), headers.size(), body.data, body.size};
        if (!part.headers) throw std::bad_alloc();
        std::memcpy(part.headers, headers.c_str(), headers.size() + 1);
        try {
            done.push_back(part);
        } catch (...) {
            std::free(part.headers);
            throw;
        }
        body = Buffer();
        headers.clear();
    }

    void finish() {
        switch (state) {
        case State::epilogue: return;
        case State::boundary:
            break;
        case State::preamble:
            if (!boundary.empty() && pending == "--" + boundary + "--") return; // no parts, no last line end
            if (preamble == 0 || !pending.empty()) {
                const std::string start = "--" + boundary;
                const size_t same = std::min(start.size(), pending.size());
                if (start.compare(0, same, pending, 0, same) == 0)
                    stop(VS_TRUNCATED, "the body ends before its first boundary");
            }
            stop(VS_CORRUPT, boundary.empty() ? "the body has no boundary" : "the boundary does not occur in the body");
        case State::body:
            if (length != no_length && body.size && finder.find(body.data, body.size) < body.size) lying_length();
            break;
        case State::headers: break;
        }
        stop(VS_TRUNCATED, "the body ends before its closing boundary, in part %llu", (unsigned long long)count);
    }
};

namespace {

template <class Work> vs_status guarded(vs_multipart &parser, Work work) {
    try {
        work();
        return VS_OK;
    } catch (const Stop &stop) {
        return stop.status;
    } catch (const std::exception &) {
        std::snprintf(parser.message, sizeof parser.message, "no memory for a part");
        return VS_NO_MEMORY;
    }
}

} // namespace

vs_multipart *vs_multipart_new(const char *boundary, size_t size, const vs_multipart_limits *limits) {
    if (size > max_boundary) return nullptr;
    try {
        auto parser = std::make_unique<vs_multipart>();
        parser->limits = *limits;
        parser->boundary.assign(boundary ? boundary : "", size);
        return parser.release();
    } catch (const std::exception &) {
        return nullptr;
    }
}

void vs_multipart_free(vs_multipart *parser) { delete parser; }

vs_status vs_multipart_feed(vs_multipart *parser, const uint8_t *data, size_t size) {
    return guarded(*parser, [&] { parser->feed(data, size); });
}

int vs_multipart_take(vs_multipart *parser, vs_part *part) {
    if (parser->done.empty()) return 0;
    *part = parser->done.front();
    parser->done.pop_front();
    return 1;
}

vs_status vs_multipart_finish(vs_multipart *parser) {
    return guarded(*parser, [&] { parser->finish(); });
}

const char *vs_multipart_message(const vs_multipart *parser) { return parser->message; }

const char *vs_multipart_boundary(const vs_multipart *parser, size_t *size) {
    *size = parser->boundary.size();
    return parser->boundary.data();
}
