#include "json_text.h"

#include <bitset>

namespace vs {

namespace {

// Whether a byte ends a run of plain text in a string: quote, backslash, control character, not ASCII.
bool is_special(uint8_t byte) { return byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\'; }

// Index of the first special byte of the eight at `p`; 8 if there is none.
size_t first_special(const uint8_t *p) {
    constexpr uint64_t ones = 0x0101010101010101;
    uint64_t bytes = 0; // the first one lowest
    for (int i = 0; i < 8; ++i) bytes |= uint64_t(p[i]) << 8 * i;
    const uint64_t quote = bytes ^ ones * '"', backslash = bytes ^ ones * '\\';
    // High bits: where a subtraction borrows, or where there was one. Only those above the lowest one may be wrong.
    const uint64_t found = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                            ((bytes - ones * 0x20) & ~bytes) | bytes) & ones * 0x80;
    if (!found) return 8;
    return size_t(((found & -found) >> 7) * 0x0001020304050607 >> 56);
}

bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }
bool is_high(uint32_t code) { return code >= 0xD800 && code <= 0xDBFF; }
bool is_low(uint32_t code) { return code >= 0xDC00 && code <= 0xDFFF; }
bool is_surrogate(const uint8_t *p) { return p[0] == 0xED && p[1] >= 0xA0; } // of a whole UTF-8 sequence

// Length of the UTF-8 sequence that begins at `p`; 0 if it is none. Surrogates are taken.
size_t sequence(const uint8_t *p, const uint8_t *end) {
    const size_t length = *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
    if (!length || size_t(end - p) < length) return 0;
    if (*p == 0xE0 && p[1] < 0xA0) return 0; // could be shorter
    if (*p == 0xF0 && p[1] < 0x90) return 0;
    if (*p == 0xF4 && p[1] > 0x8F) return 0; // beyond U+10FFFF
    for (size_t i = 1; i < length; ++i)
        if (!is_continuation(p[i])) return 0;
    return length;
}

// Four hexadecimal digits; -1 if they are not.
int32_t code_unit(const uint8_t *p, const uint8_t *end) {
    if (end - p < 4) return -1;
    int32_t code = 0;
    for (int i = 0; i < 4; ++i) {
        const uint8_t digit = hex_digits[p[i]];
        if (digit > 15) return -1;
        code = code << 4 | digit;
    }
    return code;
}

void append_utf8(uint32_t code, std::string &out) {
    if (code < 0x80) {
        out += char(code);
    } else if (code < 0x800) {
        out += {char(0xC0 | code >> 6), char(0x80 | (code & 0x3F))};
    } else if (code < 0x10000) {
        out += {char(0xE0 | code >> 12), char(0x80 | (code >> 6 & 0x3F)), char(0x80 | (code & 0x3F))};
    } else {
        out += {char(0xF0 | code >> 18), char(0x80 | (code >> 12 & 0x3F)), char(0x80 | (code >> 6 & 0x3F)),
                char(0x80 | (code & 0x3F))};
    }
}

} // namespace

void JsonText::fail(const char *wanted, const uint8_t *where) const {
    vs::fail(VS_CORRUPT, "not JSON: %s should be at byte %zu", wanted, size_t(where - begin_));
}

JsonText::String JsonText::string() {
    expect('"', "a string");
    const uint8_t *first = at_, *p = first;
    bool is_plain = true;
    for (;; p = special(p, is_plain)) {
        for (size_t n = 8; n == 8 && end_ - p >= 8;) p += n = first_special(p);
        while (p != end_ && !is_special(*p)) ++p;
        if (p == end_) fail("the end of a string", p);
        if (*p == '"') break;
    }
    at_ = p + 1;
    return {first, size_t(p - first), is_plain};
}

// Goes past an escape sequence, or a character that is not ASCII.
const uint8_t *JsonText::special(const uint8_t *p, bool &is_plain) const {
    if (*p == '\\') {
        is_plain = false;
        if (p + 1 == end_ || !p[1] || !std::strchr("\"\\/bfnrtu", p[1])) fail("an escape sequence", p);
        if (p[1] != 'u') return p + 2;
        if (code_unit(p + 2, end_) < 0) fail("an escape sequence", p);
        return p + 6;
    }
    const size_t length = sequence(p, end_);
    if (!length) fail(*p < 0x20 ? "no control character" : "UTF-8", p);
    if (is_surrogate(p)) is_plain = false;
    return p + length;
}

bool JsonText::digits() {
    const uint8_t *first = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return at_ != first;
}

JsonText::Number JsonText::number() {
    const uint8_t *first = at_;
    bool is_integer = true;
    if (*at_ == '-') ++at_;
    if (at_ != end_ && (*at_ == 'I' || *first == 'N')) {
        word(*at_ == 'I' ? "Infinity" : "NaN");
        return {first, size_t(at_ - first), false};
    }
    const bool is_zero = at_ != end_ && *at_ == '0'; // nothing but a point or an exponent may follow
    if (is_zero)
        ++at_;
    else if (!digits())
        fail("a value", first);
    if (at_ != end_ && *at_ == '.') {
        ++at_;
        if (!digits()) fail("a digit", at_);
        is_integer = false;
    }
    if (at_ != end_ && (*at_ | 0x20) == 'e') {
        ++at_;
        if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
        if (!digits()) fail("a digit", at_);
        is_integer = false;
    }
    return {first, size_t(at_ - first), is_integer};
}

void JsonText::word(const char *word) {
    const size_t size = std::strlen(word);
    if (size_t(end_ - at_) < size || std::memcmp(at_, word, size) != 0) fail("a value", at_);
    at_ += size;
}

void JsonText::finish() {
    pass_space();
    if (at_ != end_) fail("the end", at_);
}

bool JsonText::begins(uint8_t open, uint8_t close) {
    expect(open, "a value");
    if (peek() != close) return true;
    ++at_;
    return false;
}

bool JsonText::goes_on(uint8_t close) {
    const uint8_t byte = peek();
    if (byte != ',' && byte != close) fail(close == ']' ? "',' or ']'" : "',' or '}'", at_);
    ++at_;
    return byte == ',';
}

JsonText::String JsonText::name() {
    const String found = string();
    expect(':', "':'");
    return found;
}

void JsonText::scalar(uint8_t first) {
    switch (first) {
    case '"': string(); break;
    case 't': word("true"); break;
    case 'f': word("false"); break;
    case 'n': word("null"); break;
    default: number();
    }
}

// Without recursion: depth costs a bit.
void JsonText::skip() {
    const uint8_t kind = peek();
    if (kind != '{' && kind != '[') return scalar(kind);
    std::bitset<most_nesting> is_object;
    size_t depth = 0;
    do {
        const uint8_t first = peek();
        if (first == '{' || first == '[') {
            if (depth == most_nesting) vs::fail(VS_CORRUPT, "nested deeper than %zu", most_nesting);
            is_object[depth] = first == '{';
            if (begins(first, first == '{' ? '}' : ']')) {
                if (is_object[depth++]) name();
                continue;
            }
        } else {
            scalar(first);
        }
        while (depth && !goes_on(is_object[depth - 1] ? '}' : ']')) --depth;
        if (depth && is_object[depth - 1]) name();
    } while (depth);
}

void append_text(const JsonText::String &string, std::string &out) {
    const uint8_t *p = string.data, *end = p + string.size;
    if (string.is_plain) {
        out.append(reinterpret_cast<const char *>(p), string.size);
        return;
    }
    while (p != end) {
        if (*p == '\\') {
            uint32_t code;
            switch (p[1]) {
            case 'b': code = '\b'; break;
            case 'f': code = '\f'; break;
            case 'n': code = '\n'; break;
            case 'r': code = '\r'; break;
            case 't': code = '\t'; break;
            case 'u': code = uint32_t(code_unit(p + 2, end)); break;
            default: code = p[1];
            }
            p += p[1] == 'u' ? 6 : 2;
            if (is_high(code) && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
                const uint32_t low = uint32_t(code_unit(p + 2, end));
                if (is_low(low)) {
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                    p += 6;
                }
            }
            append_utf8(is_high(code) || is_low(code) ? uint32_t('?') : code, out);
        } else if (is_surrogate(p)) {
            out += '?';
            p += 3;
        } else {
            out += char(*p++);
        }
    }
}

} // namespace vs
