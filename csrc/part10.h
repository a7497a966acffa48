/* part10.h - reads the header of a DICOM Part 10 file (PS3.10 section 7) up to its pixel data, and no further.
 *
 * The caller names the attributes it wants. What comes back is a flat, pre-order list of entries with their values
 * in little endian, where the pixel data are, and the fragments of encapsulated pixel data. Every length is checked
 * against the bytes that are there; nothing is allocated on the word of a length alone; nothing throws or prints.
 */
#ifndef VOLSTREAM_PART10_H
#define VOLSTREAM_PART10_H

#include "volstream.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VS_UNDEFINED_LENGTH UINT64_MAX
#define VS_MAX_DEPTH 64 /* of nested sequences */

/* An attribute to look for, at any depth of wanted sequences; `vr` serves implicit VR and UN. "XS" is US or SS. */
typedef struct vs_wanted { uint32_t tag; char vr[2]; } vs_wanted;

typedef enum vs_entry_kind {
    VS_VALUE = 0,
    VS_SEQUENCE, /* its items follow, then VS_END */
    VS_ITEM,     /* its entries follow, then VS_END */
    VS_END
} vs_entry_kind;

typedef struct vs_entry {
    uint8_t kind;
    char vr[2];      /* as the file says, or as wanted where it does not */
    uint32_t wanted; /* index into the wanted table; values and sequences */
    uint32_t length;
    uint64_t offset; /* of the value, into vs_header.values */
} vs_entry;

typedef struct vs_fragment {
    uint64_t offset, length; /* of its data, without the item header; may lie beyond a truncated file */
    uint8_t starts;          /* the data begin like a codestream: JPEG, JPEG 2000, JPEG XL or RLE */
} vs_fragment;

typedef enum vs_fragments_end {
    VS_ENDED = 0,  /* by a sequence delimiter, PS3.5 A.4 */
    VS_CUT = 1,    /* the file ends before */
    VS_BROKEN = 2  /* something else than an item follows */
} vs_fragments_end;

typedef struct vs_header {
    const vs_entry *entries;
    size_t count;
    const uint8_t *values;
    uint64_t size;            /* of the file or buffer */
    uint64_t dataset;         /* where the data set begins, after the file meta information */
    char transfer_syntax[65]; /* as the file meta information says; "" if absent */
    uint8_t is_dicom;         /* 0: nothing else is set */
    uint8_t is_deflated;      /* the data set must be inflated and read again; nothing below is set */
    uint8_t is_explicit, is_big_endian; /* as found, whatever the transfer syntax says */
    uint32_t pixel_tag;       /* 0x7FE00008, 0x7FE00009 or 0x7FE00010; 0 if there are no pixel data */
    char pixel_vr[2];
    uint64_t pixel_offset, pixel_length; /* length VS_UNDEFINED_LENGTH: encapsulated, see the fragments */
    const uint8_t *offset_table; /* Basic Offset Table, little endian uint32 */
    uint32_t offset_table_length;
    const vs_fragment *fragments; /* without the table's item */
    size_t fragment_count;
    uint8_t fragments_end;    /* vs_fragments_end */
    char message[232];        /* why, if the status is not VS_OK */
} vs_header;

/* `wanted` ascends by tag. `*header` is set unless memory is short, and is the caller's to free.
 * VS_UNSUPPORTED: legal or not, a more lenient reader may understand it. VS_IO: `path` cannot be read. */
vs_status vs_read_header_file(const char *path, const vs_wanted *wanted, size_t count, vs_header **header);
vs_status vs_read_header(const uint8_t *data, size_t size, const vs_wanted *wanted, size_t count, vs_header **header);

/* Only the fragments of encapsulated pixel data, which begin with the Basic Offset Table's item. */
vs_status vs_read_fragments(const uint8_t *data, size_t size, vs_header **header);

void vs_header_free(vs_header *header);

#ifdef __cplusplus
}
#endif
#endif
