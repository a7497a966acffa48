// part10_parse.h - the data set walker (PS3.5 section 7) and the walker over fragments (PS3.5 A.4).
#pragma once

#include "part10_input.h"

#include <vector>

namespace vs::part10 {

struct Header : vs_header {
    Header() : vs_header{} {}
    std::vector<vs_entry> entry_list;
    std::vector<uint8_t> value_bytes;
    std::vector<vs_fragment> fragment_list;
    std::vector<uint8_t> table_bytes;
};

// How a data set is encoded. PS3.5 A.1 to A.3.
struct Form {
    bool is_explicit, is_big_endian;
};

bool is_vr(const uint8_t *vr); // one of PS3.5 table 6.2-1

class Parser {
public:
    Parser(Input &input, const vs_wanted *wanted, size_t count, Header &out)
        : input_(input), wanted_(wanted), count_(count), out_(out) {}

    void file(); // meta information, then the data set

private:
    struct Element {
        uint32_t tag;
        char vr[2];
        uint64_t length; // VS_UNDEFINED_LENGTH
    };

    bool meta();
    Form sniff(Form declared);
    Element element(Form form, uint64_t end);
    void data_set(Form form, uint64_t end, bool delimited, unsigned depth, bool emit);
    void sequence(Form form, uint64_t length, uint64_t end, unsigned depth, bool emit);
    void value(const Element &element, Form form, uint64_t end, unsigned depth, bool emit);
    void skip_fragments(Form form, uint64_t end);
    void pixel_data(const Element &element);
    const vs_wanted *find(uint32_t tag) const;
    const uint8_t *need(uint64_t position, size_t count, uint64_t end);
    void push(vs_entry_kind kind, const vs_wanted *wanted = nullptr, const char *vr = "SQ", uint64_t offset = 0,
              uint32_t length = 0);

    Input &input_;
    const vs_wanted *wanted_;
    size_t count_;
    Header &out_;
    uint64_t position_ = 0;
};

// Item headers from `position` on, the Basic Offset Table's first.
void read_fragments(Input &input, uint64_t position, Header &out);

} // namespace vs::part10
