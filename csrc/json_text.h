// json_text.h - a cursor over JSON (RFC 8259) that checks what it passes, and makes nothing of it.
//
// Beyond the RFC, as Python's json: NaN, Infinity and -Infinity, and UTF-8 may hold surrogates.
#pragma once

#include "codec.h"

#include <array>
#include <cstring>
#include <string>

namespace vs {

// What a hexadecimal digit stands for; 0xFF if it is none.
inline constexpr std::array<uint8_t, 256> hex_digits = [] {
    std::array<uint8_t, 256> table{};
    for (size_t byte = 0; byte < 256; ++byte) table[byte] = 0xFF;
    for (uint8_t digit = 0; digit < 10; ++digit) table['0' + digit] = digit;
    for (uint8_t digit = 10; digit < 16; ++digit) table['a' + digit - 10] = table['A' + digit - 10] = digit;
    return table;
}();

class JsonText {
public:
    static constexpr size_t most_nesting = 1024; // of what is skipped

    struct String {
        const uint8_t *data; // between the quotes, escaped
        size_t size;
        bool is_plain; // the bytes are the text: no escapes, no surrogates
    };
    struct Number {
        const uint8_t *data;
        size_t size;
        bool is_integer;
    };

    JsonText(const uint8_t *data, size_t size) : begin_(data), at_(data), end_(data + size) {}

    // What comes next after white space; it is at hand, so callers need not look for the end.
    uint8_t peek() {
        pass_space();
        if (at_ == end_) fail("more", at_);
        return *at_;
    }

    String string();
    Number number();             // or NaN, Infinity
    void word(const char *word); // true, false, null
    void skip();                 // a value of any kind
    void finish();               // nothing but white space is left

    String name();                            // of a member of an object, past the colon
    bool begins(uint8_t open, uint8_t close); // past the opening of a list or object; false: past the closing too
    bool goes_on(uint8_t close);              // past a comma; false: past the closing

    // Goes past the bytes of a member that was read before, if they come again.
    bool repeats(const uint8_t *member, size_t size) {
        if (size == 0 || left() < size || std::memcmp(at_, member, size) != 0) return false;
        at_ += size;
        return true;
    }
    const uint8_t *at() const { return at_; }
    size_t left() const { return size_t(end_ - at_); }

    // Calls `element()`, which goes past one value, for each element of the list that comes next.
    template <class Element> void list(Element element) {
        if (!begins('[', ']')) return;
        do element();
        while (goes_on(']'));
    }

    // Calls `member(name)`, which goes past one value, for each member of the object that comes next.
    template <class Member> void object(Member member) {
        if (!begins('{', '}')) return;
        do member(name());
        while (goes_on('}'));
    }

private:
    void pass_space() {
        while (at_ != end_ && *at_ <= ' ' && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    }
    [[noreturn]] void fail(const char *wanted, const uint8_t *where) const;
    void expect(uint8_t byte, const char *wanted) {
        if (peek() != byte) fail(wanted, at_);
        ++at_;
    }
    void scalar(uint8_t first);
    bool digits();
    const uint8_t *special(const uint8_t *p, bool &is_plain) const;

    const uint8_t *begin_, *at_, *end_;
};

// Appends the text of a string. Half a surrogate pair becomes a question mark.
void append_text(const JsonText::String &string, std::string &out);

} // namespace vs
