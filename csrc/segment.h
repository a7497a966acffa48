/* segment.h - the live part of a shared segment: publishing slice states, and waiting for them.
 *
 * Several threads and processes publish different slices of one segment at the same time. Byte layout and
 * meaning of every word: docs/segment.md. Nothing here allocates, throws, prints or starts threads.
 */
#ifndef VOLSTREAM_SEGMENT_H
#define VOLSTREAM_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { VS_PENDING = 0, VS_FULL = 8, VS_FAILED = 255 };

/* The words that change while a segment lives; all of them are read and written atomically. */
typedef struct vs_live {
    uint32_t sequence; /* +1 after every change: the futex word */
    uint32_t loading;  /* 0 idle, 1 loading, 2 complete, 3 partial, 4 cancelled */
    uint32_t full;     /* slices in state 8 */
    uint32_t failed;   /* slices in state 255 */
    uint32_t covered;  /* slices in states 1 to 8 */
} vs_live;

typedef struct vs_board {
    vs_live *live;
    uint8_t *states;   /* one a slice */
    uint64_t *ranges;  /* the bits of two float64 a slice: minimum, maximum */
    uint32_t slices;
} vs_board;

/* Range first, then state (release), counters, sequence, wake. Returns 1, or 0 if the slice already has this
 * state or a better one, or has failed: a state never gets worse. The caller has checked index < slices. */
int vs_publish(const vs_board *board, uint32_t index, uint8_t state, double minimum, double maximum);

/* A failed slice becomes pending again, for a retry. Returns 0 if it had not failed. */
int vs_reset(const vs_board *board, uint32_t index);

/* Say how the load stands, and wake everybody. */
void vs_set_loading(const vs_board *board, uint32_t loading);

/* Sequence +1 and wake, without any other change. */
void vs_touch(const vs_board *board);

uint8_t vs_state(const vs_board *board, uint32_t index);
uint32_t vs_load_word(const uint32_t *word);

/* Copy all states, each with acquire order. */
void vs_states(const vs_board *board, uint8_t *out);

/* Sleep until the sequence differs from `sequence`, `seconds` have passed or a signal came; returns the sequence.
 * Spurious returns happen: the caller looks again. */
uint32_t vs_wait(const vs_board *board, uint32_t sequence, double seconds);

#ifdef __cplusplus
}
#endif
#endif
