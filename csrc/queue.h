/* queue.h - frames that wait to be decoded into their slices, and the threads that do it.
 *
 * The threads are the caller's. `vs_queue_run` keeps one busy for as long as nothing is to be said or asked; so a frame
 * that is decoded without a fault costs the caller nothing until it looks. Nothing throws, prints or starts threads.
 */
#ifndef VOLSTREAM_QUEUE_H
#define VOLSTREAM_QUEUE_H

#include "writer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One frame. The caller keeps it, and all that it points to, until it gets it back. */
typedef struct vs_job {
    struct vs_job *next;    /* the queue's */
    void *owner;            /* the caller's */
    const vs_frame *frame;  /* NULL: nothing for the core; it fails with VS_UNSUPPORTED when its turn comes */
    vs_writer *writer;      /* decoded pixels go there, */
    uint32_t index;         /* as this slice, */
    uint8_t state, dtype;   /* with this state, as this vs_dtype */
    const vs_piece *pieces; /* the bytes, in so many pieces, */
    size_t piece_count;
    const char *path;       /* or, unless NULL, where they are */
    const vs_range *ranges;
    size_t range_count;
} vs_job;

typedef struct vs_queue vs_queue;

vs_queue *vs_queue_new(void); /* NULL: no memory */
void vs_queue_free(vs_queue *queue);

void vs_queue_put(vs_queue *queue, vs_job *job);

typedef enum vs_turn {
    VS_TURN_CLOSED = 0, /* no more is to be done */
    VS_TURN_DONE,       /* something is done, and the caller is eager to know */
    VS_TURN_FAILED,     /* the job that is given back failed */
    VS_TURN_HUNGRY      /* nothing waits, and the caller said that there is more */
} vs_turn;

/* Do jobs, in the order in which they were put, until there is something to return for. */
vs_turn vs_queue_run(vs_queue *queue, vs_job **failed, vs_status *status, vs_result *result);

/* What has been done since the last call, linked by `next`; NULL if nothing. */
vs_job *vs_queue_done(vs_queue *queue);
/* What no thread has begun, taken out of the queue; linked by `next`. */
vs_job *vs_queue_take_back(vs_queue *queue);

/* How many no thread has begun. */
size_t vs_queue_waiting(vs_queue *queue);

/* Whether there is more to be put as soon as nothing waits. */
void vs_queue_hungry(vs_queue *queue, int hungry);
/* Whether to return for every job that is done. */
void vs_queue_eager(vs_queue *queue, int eager);
/* Every thread returns as soon as the job that it has begun is done. */
void vs_queue_close(vs_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
