/* writer.h - whole slices into a segment's file, each at once or not at all, from any number of threads.
 *
 * Nothing throws or prints; results have only a message.
 */
#ifndef VOLSTREAM_WRITER_H
#define VOLSTREAM_WRITER_H

#include "segment.h"
#include "volstream.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { VS_ADJACENT_REPLICATE = 3 };

typedef struct vs_writer vs_writer;

/* Of the file `descriptor`, which stays the caller's, with the first slice's voxels at byte `offset`. `board` must
 * live as long. NULL if there is no memory. */
vs_writer *vs_writer_new(const vs_board *board, int descriptor, uint64_t offset, uint64_t slice_bytes);
void vs_writer_free(vs_writer *writer);

uint64_t vs_writer_slice_bytes(const vs_writer *writer);

/* Keeps other threads from putting a slice. The caller has checked every index. */
void vs_writer_lock(vs_writer *writer, uint32_t index);
void vs_writer_unlock(vs_writer *writer, uint32_t index);

/* Write a slice's voxels and publish its state; `*taken` is 0, and nothing is written, if what is there is as good.
 * What is made up from neighbours is replaced by its like: it comes from nearer ones. VS_NO_MEMORY if the file takes no
 * more. */
vs_status vs_writer_put(vs_writer *writer, uint32_t index, const void *voxels, uint8_t state, double minimum,
                        double maximum, int *taken, vs_result *result);

/* Only write: for whoever does not publish. */
vs_status vs_writer_write(vs_writer *writer, uint32_t index, const void *voxels, vs_result *result);

#ifdef __cplusplus
}
#endif
#endif
