// The DICOM JSON reader without Python: one small case of each kind. The many are in tests/headers.
#include "dicomjson.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                       \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (false)

constexpr vs_wanted wanted[] = {{0x00200032, {'D', 'S'}}, {0x00280010, {'U', 'S'}}, {0x7FE00010, {'p', 'x'}}};

struct Read {
    vs_status status;
    std::string message, shown; // kinds of the nodes, and what they hold
};

Read read(const char *text) {
    vs_json *json = vs_json_new(reinterpret_cast<const uint8_t *>(text), std::strlen(text), wanted, 3);
    Read out{VS_OK, "", ""};
    while ((out.status = vs_json_next(json)) == VS_OK && json->count)
        for (size_t i = 0; i < json->count; ++i) {
            const vs_json_node &node = json->nodes[i];
            out.shown += (i ? " " : "") + std::to_string(node.kind);
            if (node.kind == VS_JSON_INTEGER) out.shown += '=' + std::to_string(node.integer);
            if (node.kind >= VS_JSON_LONG_INTEGER && node.kind <= VS_JSON_STRING)
                out.shown += '=' + std::string(json->texts + node.text.offset, node.text.length);
        }
    out.message = json->message;
    vs_json_free(json);
    return out;
}

void keeps_what_is_wanted() {
    const Read found = read(R"([{"00280010": {"vr": "US", "Value": [4]}, "00091001": {"vr": "UN", "Value": [[{}]]},
        "00200032": {"vr": "DS", "Value": [1.5, "\u00e9", null, 12345678901234567890]}, "7FE00010": {"BulkDataURI": "x"}}])");
    CHECK(found.status == VS_OK);
    CHECK(found.shown == "8 9 7 3=4 9 7 5=1.5 6=\xc3\xa9 0 4=12345678901234567890 9");
}

void reads_what_repeats_once() {
    const Read found = read(R"([{"00280010": {"Value": 4}, "x": 1}, {"00280010": {"Value": 4}, "x": 12}])");
    CHECK(found.status == VS_OK && found.shown == "8 9 3=4 8 10");
}

void lets_the_last_one_count() {
    CHECK(read(R"({"00280010": {"Value": 4}, "00280010": {"Value": 5}})").shown == "8 13 3=4 9 3=5");
    CHECK(read(R"({"00280010": {"Value": 4}, "00280010": null})").shown == "8 13 3=4");
}

void says_what_is_wrong() {
    CHECK(read("").message == "not JSON: more should be at byte 0");
    CHECK(read("[{}, 3]").message == "not a list of instances");
    CHECK(read("{} x").message == "not JSON: the end should be at byte 3");
    const Read cut = read(R"({"00280010": {"Value": [4)");
    CHECK(cut.status == VS_CORRUPT && cut.message == "not JSON: more should be at byte 25");
    CHECK(read(("{\"x\": " + std::string(2000, '[')).c_str()).message == "nested deeper than 1024");
    CHECK(read("[]").status == VS_OK);
}

} // namespace

int main() {
    keeps_what_is_wanted();
    reads_what_repeats_once();
    lets_the_last_one_count();
    says_what_is_wrong();
    return 0;
}
