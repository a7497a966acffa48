/* volstream.h - the whole C interface of the decoding core.
 *
 * One call per frame: encoded bytes in, voxels placed, status and value range out. No function throws, prints,
 * starts threads, or allocates the output; every bound is checked before anything is written. Scratch memory and
 * codec objects are kept per thread and reused.
 *
 * The header scanner (part10.h), the reader of DICOM JSON (dicomjson.h), the multipart splitter (multipart.h) and the
 * shared-segment primitives (segment.h) have interfaces of their own.
 */
#ifndef VOLSTREAM_H
#define VOLSTREAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 1..99: the data are at fault. 100..199: the caller is. 200..: the machine is. */
typedef enum vs_status {
    VS_OK = 0,
    VS_TRUNCATED = 1,   /* the data end before the frame does */
    VS_CORRUPT = 2,     /* the data break their own format */
    VS_MISMATCH = 3,    /* the codestream contradicts the metadata: size, components, precision */
    VS_UNSUPPORTED = 4, /* legal, but not decoded here */
    VS_RANGE = 5,       /* a value does not fit the target's type */
    VS_IO = 6,          /* a file could not be opened or read; the message has the reason */
    VS_BAD_ARGUMENT = 100,
    VS_OUT_OF_BOUNDS = 101, /* the slice does not lie inside the target */
    VS_NO_MEMORY = 200
} vs_status;

typedef enum vs_codec {
    VS_CODEC_RAW = 0, /* little endian, PS3.5 8.1.1, Annex D */
    VS_CODEC_RAW_BE,  /* big endian: OW words swapped */
    VS_CODEC_RLE,     /* PS3.5 Annex G */
    VS_CODEC_JPEG,    /* DCT: baseline and extended, ISO 10918-1 */
    VS_CODEC_JPEG_LOSSLESS, /* process 14, all predictors */
    VS_CODEC_JPEG_LS,
    VS_CODEC_JPEG_2000,
    VS_CODEC_HTJ2K,
    VS_CODEC_COUNT
} vs_codec;

typedef enum vs_photometric {
    VS_MONOCHROME = 0,
    VS_PALETTE,      /* expanded through the table */
    VS_RGB,
    VS_YBR_FULL,     /* converted to RGB, PS3.3 C.7.6.3.1.2 */
    VS_YBR_FULL_422, /* likewise; in raw frames chrominance is halved horizontally */
    VS_YBR_ICT,      /* the codestream's own transform: arrives as RGB */
    VS_YBR_RCT
} vs_photometric;

typedef enum vs_dtype {
    VS_INT8 = 0, VS_UINT8, VS_INT16, VS_UINT16, VS_INT32, VS_UINT32, VS_FLOAT32, VS_FLOAT64, VS_DTYPE_COUNT
} vs_dtype;

/* A Modality LUT (channels 1) or palette (channels 3); entries are channel after channel. */
typedef struct vs_table {
    const uint16_t *entries;
    uint32_t length; /* per channel */
    uint32_t channels;
    int32_t first;   /* stored value of entry 0; values beyond either end take the end's entry, PS3.3 C.11.1.1.1 */
} vs_table;

typedef struct vs_frame {
    uint32_t rows, columns; /* of the whole frame at full size */
    uint16_t samples_per_pixel;
    uint16_t bits_allocated, bits_stored, high_bit;
    uint8_t pixel_representation;  /* 1: two's complement */
    uint8_t planar_configuration;
    uint8_t is_float;              /* 32- or 64-bit IEEE pixels */
    uint8_t photometric;           /* vs_photometric */
    uint8_t codec;                 /* vs_codec */
    uint8_t reduce;                /* drop this many resolutions: size is ceil(n / 2^reduce); J2K and HTJ2K only */
    uint8_t allow_truncated;       /* decode the whole packets of a cut codestream; J2K and HTJ2K in order of resolution */
    uint64_t first_bit;            /* where a 1-bit frame starts within data; 8 for big endian bytes from mid-word on */
    double slope, intercept;       /* applied to integer and float samples; exact in integer targets */
    const vs_table *table;         /* modality LUT or palette, or NULL */
} vs_frame;

/* Where one frame goes: rows of `columns * channels` items, `row_stride` bytes apart (0: contiguous). */
typedef struct vs_target {
    void *data;      /* the whole buffer */
    uint64_t size;   /* of the whole buffer, bytes: nothing outside is ever written */
    uint64_t offset; /* of the frame's first item, bytes; must be aligned to the item */
    uint64_t row_stride;
    uint8_t dtype;   /* vs_dtype */
} vs_target;

typedef struct vs_result {
    double minimum, maximum; /* of the values written; NaN if there is none */
    char message[232];       /* why, if the status is not VS_OK */
} vs_result;

typedef struct vs_range { uint64_t offset, length; } vs_range;

vs_status vs_decode(const vs_frame *frame, const uint8_t *data, size_t size, const vs_target *target, vs_result *result);

/* The same from several pieces that follow each other, as they came over a network. */
typedef struct vs_piece { const uint8_t *data; size_t size; } vs_piece;

vs_status vs_decode_pieces(const vs_frame *frame, const vs_piece *pieces, size_t count, const vs_target *target,
                           vs_result *result);

/* The same, reading the fragments of a file first. `path` is in the file system's encoding. */
vs_status vs_decode_file(const vs_frame *frame, const char *path, const vs_range *ranges, size_t count,
                         const vs_target *target, vs_result *result);

typedef enum vs_upsampling {
    VS_NEAREST = 0, /* the sample that stands nearest */
    VS_LINEAR       /* between the four around; rounded to nearest, never beyond them */
} vs_upsampling;

/* Spreads a frame that was decoded with `reduce` over its full size, `rows` by `columns`. `samples` are contiguous, of
 * the target's type, with `channels` (1 or 3) items a pixel; what `reduce` was follows from their number. The buffers
 * must not overlap. The result has only a message. */
vs_status vs_upsample(const void *samples, size_t size, uint32_t sample_rows, uint32_t sample_columns,
                      const vs_target *target, uint32_t rows, uint32_t columns, uint32_t channels, vs_upsampling method,
                      vs_result *result);

/* What a codestream says of itself, without decoding. */
typedef struct vs_codestream {
    uint8_t codec; /* vs_codec */
    uint32_t rows, columns;
    uint16_t components, precision;
    uint8_t is_signed, is_lossy, is_reversible;
    /* J2K and HTJ2K: */
    uint8_t resolutions; /* how many times it can be halved: wavelet decompositions */
    uint16_t layers;     /* of quality */
    uint8_t is_resolution_major; /* a prefix is a smaller image: `reduce` and `allow_truncated` make sense together */
} vs_codestream;

/* VS_UNSUPPORTED if the bytes are none of the codestreams known here (raw and RLE have no signature), or end within the
 * header of one: what follows it never changes what was found. */
vs_status vs_probe(const uint8_t *data, size_t size, vs_codestream *out);

#define VS_RESOLUTIONS 33 /* at most, ISO 15444-1 A.6.1 */

/* How much of a codestream a decode with each `reduce` needs, told by its markers: ends[reduce] bytes from the first,
 * or 0 where they do not tell, `count` of them. The data may be a prefix, cut anywhere. VS_UNSUPPORTED if they are no
 * J2K or HTJ2K. */
vs_status vs_resolution_ends(const uint8_t *data, size_t size, uint64_t ends[VS_RESOLUTIONS], uint32_t *count);

typedef struct vs_codec_info {
    const char *name;    /* "raw", "raw-be", "rle", "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg-2000", "htj2k" */
    const char *library; /* "volstream", "OpenJPEG", "OpenJPH", "CharLS", "libjpeg-turbo"; "" if not built in */
    const char *version; /* of the library in use at run time where it can tell, else of its headers; "" for our own */
    const char *floor;   /* lowest version that survives damaged streams; "" for our own */
    const char *origin;  /* "own", "system", "bundled" or "absent" */
    uint8_t max_bits;    /* 8 for DCT with libjpeg-turbo 2, 12 with 3, else 16 or more; 0 if absent */
} vs_codec_info;

const vs_codec_info *vs_codec_get(vs_codec codec); /* NULL beyond VS_CODEC_COUNT */

#ifdef __cplusplus
}
#endif
#endif
