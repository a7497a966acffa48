/* multipart.h - splits a multipart/related body (RFC 2046, RFC 2387; PS3.18 section 8.6.1.2) while it arrives.
 *
 * No I/O: the caller feeds chunks of any size and takes finished parts. Every byte is looked at once and copied
 * once, into the body it belongs to, whatever the chunking. A boundary is CRLF "--" boundary, followed by "--" or
 * by optional blanks and CRLF; the same text without that form is data. Where a body uses bare LF, it must
 * use it from its first boundary on.
 */
#ifndef VOLSTREAM_MULTIPART_H
#define VOLSTREAM_MULTIPART_H

#include "volstream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vs_multipart vs_multipart;

typedef struct vs_multipart_limits {
    uint64_t part;    /* bytes of one body */
    uint64_t parts;   /* how many */
    uint64_t reserve; /* bytes to make room for at once in a body without Content-Length, e.g. what is expected */
} vs_multipart_limits;

/* A finished part; its owner frees both pointers with free(). */
typedef struct vs_part {
    char *headers; /* the block as it came, without the blank line */
    size_t headers_size;
    uint8_t *body; /* never NULL */
    size_t body_size;
} vs_part;

/* `boundary` of 1 to 70 characters; size 0: take it from the body's first line. NULL if memory is short. */
vs_multipart *vs_multipart_new(const char *boundary, size_t size, const vs_multipart_limits *limits);
void vs_multipart_free(vs_multipart *parser);

/* VS_CORRUPT: the body breaks the format; VS_RANGE: a limit is passed. The parser is of no use after an error. */
vs_status vs_multipart_feed(vs_multipart *parser, const uint8_t *data, size_t size);
/* 1 if a part was there and is now the caller's, else 0. */
int vs_multipart_take(vs_multipart *parser, vs_part *part);
/* The body is over: VS_TRUNCATED if the closing boundary has not come. */
vs_status vs_multipart_finish(vs_multipart *parser);
/* Why, after an error. */
const char *vs_multipart_message(const vs_multipart *parser);
/* The boundary in use; size 0 while it is not known. */
const char *vs_multipart_boundary(const vs_multipart *parser, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
