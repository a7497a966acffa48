/* dicomjson.h - reads the DICOM JSON model (PS3.18 Annex F): the metadata of one instance, or of many.
 *
 * The whole text is checked to be JSON. What comes back, some instances at a time, is a flat, pre-order list of nodes:
 * each instance, in it the wanted attributes, in these their values. What a value means is left to the caller. Depth
 * is bounded; nothing throws or prints.
 */
#ifndef VOLSTREAM_DICOMJSON_H
#define VOLSTREAM_DICOMJSON_H

#include "part10.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vs_json_kind {
    VS_JSON_NULL = 0,
    VS_JSON_FALSE,
    VS_JSON_TRUE,
    VS_JSON_INTEGER,
    VS_JSON_LONG_INTEGER, /* beyond 18 digits: as text, a NUL behind it */
    VS_JSON_REAL,         /* as text, a NUL behind it; NaN, Infinity and -Infinity are taken */
    VS_JSON_STRING,       /* UTF-8; half a surrogate pair is a question mark */
    VS_JSON_LIST,         /* its elements follow */
    VS_JSON_DATA_SET,     /* an instance or a sequence item; its elements follow */
    VS_JSON_ELEMENT,      /* of a data set; what it has of vs_json_member follows, the last one counts */
    VS_JSON_REPEATED,     /* an element of an instance, as the one of this name in the instance before */
    VS_JSON_NESTED,       /* a list or object where the model has none; left out */
    VS_JSON_TOO_DEEP,     /* a sequence item below VS_MAX_DEPTH others; left out */
    VS_JSON_OVERWRITTEN   /* an element that comes again in the same data set: pass over it */
} vs_json_kind;

typedef enum vs_json_member { VS_JSON_VALUE = 0, VS_JSON_INLINE_BINARY, VS_JSON_BULK_DATA_URI } vs_json_member;

typedef struct vs_json_text { uint32_t offset, length; } vs_json_text; /* in vs_json.texts */

typedef struct vs_json_node {
    uint32_t next; /* index of the node behind this one and all that is in it */
    uint16_t name; /* of an element: index into the wanted table; of what is in one: vs_json_member */
    uint8_t kind;  /* vs_json_kind */
    union {
        int64_t integer;
        vs_json_text text;
    };
} vs_json_node;

typedef struct vs_json {
    const vs_json_node *nodes; /* data sets, one behind the other */
    size_t count;
    const char *texts;
    char message[232]; /* why, if the status is not VS_OK */
} vs_json;

/* `wanted` ascends by tag; of an attribute whose VR is "px" only the presence is told. `data` and `wanted` must outlive
 * the reader. NULL if memory is short. */
vs_json *vs_json_new(const uint8_t *data, size_t size, const vs_wanted *wanted, size_t count);

/* The nodes of the next instances, until the call after; none at the end.
 * VS_CORRUPT: not JSON, or neither an object nor a list of objects. The reader is of no use after an error. */
vs_status vs_json_next(vs_json *json);

void vs_json_free(vs_json *json);

#ifdef __cplusplus
}
#endif
#endif
