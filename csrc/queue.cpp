#include "queue.h"

#include <condition_variable>
#include <mutex>
#include <new>
#include <vector>

namespace {

// First in, first out, linked through the jobs: putting one allocates nothing.
struct List {
    vs_job *first = nullptr, *last = nullptr;
    size_t size = 0;

    void append(vs_job *job) {
        job->next = nullptr;
        (first ? last->next : first) = job;
        last = job;
        ++size;
    }
    vs_job *pop() {
        vs_job *job = first;
        first = job->next;
        job->next = nullptr;
        --size;
        return job;
    }
    vs_job *take_all() {
        vs_job *all = first;
        first = nullptr;
        size = 0;
        return all;
    }
};

// A slice's worth of memory, this thread's own, kept from frame to frame.
uint8_t *scratch(uint64_t size) {
    thread_local std::vector<uint8_t> voxels;
    if (voxels.size() < size)
        voxels.resize(size);
    return voxels.data();
}

vs_status perform(const vs_job &job, vs_result *result) {
    result->message[0] = 0;
    if (!job.frame)
        return VS_UNSUPPORTED;
    vs_target target{};
    target.size = vs_writer_slice_bytes(job.writer);
    target.dtype = job.dtype;
    try {
        target.data = scratch(target.size);
    } catch (const std::bad_alloc &) {
        return VS_NO_MEMORY;
    }
    const vs_status status = job.path ? vs_decode_file(job.frame, job.path, job.ranges, job.range_count, &target, result)
                                      : vs_decode_pieces(job.frame, job.pieces, job.piece_count, &target, result);
    int taken;
    return status != VS_OK ? status
                           : vs_writer_put(job.writer, job.index, target.data, job.state, result->minimum,
                                           result->maximum, &taken, result);
}

} // namespace

struct vs_queue {
    std::mutex mutex;
    std::condition_variable news;
    List waiting, done;
    bool hungry = false, eager = false, closed = false;

    void tell(bool &word, bool value) {
        {
            const std::lock_guard<std::mutex> hold(mutex);
            if (word == value)
                return;
            word = value;
        }
        news.notify_all();
    }
};

extern "C" {

vs_queue *vs_queue_new(void) { return new (std::nothrow) vs_queue; }

void vs_queue_free(vs_queue *queue) { delete queue; }

void vs_queue_put(vs_queue *queue, vs_job *job) {
    {
        const std::lock_guard<std::mutex> hold(queue->mutex);
        queue->waiting.append(job);
    }
    queue->news.notify_one();
}

vs_turn vs_queue_run(vs_queue *queue, vs_job **failed, vs_status *status, vs_result *result) {
    std::unique_lock<std::mutex> hold(queue->mutex);
    while (!queue->closed) {
        if (queue->eager && queue->done.first)
            return VS_TURN_DONE;
        if (queue->waiting.first) {
            vs_job *job = queue->waiting.pop();
            hold.unlock();
            *status = perform(*job, result);
            if (*status != VS_OK) {
                *failed = job;
                return VS_TURN_FAILED;
            }
            hold.lock();
            queue->done.append(job);
        } else if (queue->hungry) {
            return VS_TURN_HUNGRY;
        } else {
            queue->news.wait(hold);
        }
    }
    return VS_TURN_CLOSED;
}

vs_job *vs_queue_done(vs_queue *queue) {
    const std::lock_guard<std::mutex> hold(queue->mutex);
    return queue->done.take_all();
}

vs_job *vs_queue_take_back(vs_queue *queue) {
    const std::lock_guard<std::mutex> hold(queue->mutex);
    return queue->waiting.take_all();
}

size_t vs_queue_waiting(vs_queue *queue) {
    const std::lock_guard<std::mutex> hold(queue->mutex);
    return queue->waiting.size;
}

void vs_queue_hungry(vs_queue *queue, int hungry) {
    queue->tell(queue->hungry, hungry != 0);
}

void vs_queue_eager(vs_queue *queue, int eager) {
    queue->tell(queue->eager, eager != 0);
}

void vs_queue_close(vs_queue *queue) {
    queue->tell(queue->closed, true);
}

} // extern "C"
