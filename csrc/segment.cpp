#include "segment.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstring>
#include <thread>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <ctime>
#endif

namespace {

static_assert(std::atomic<uint8_t>::is_always_lock_free && sizeof(std::atomic<uint8_t>) == 1, "shared between processes");
static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4, "shared between processes");
static_assert(std::atomic<uint64_t>::is_always_lock_free && sizeof(std::atomic<uint64_t>) == 8, "shared between processes");

// Plain words of a mapping, seen as atomics: lock-free ones have the layout of the word itself on every target.
template <class T> std::atomic<T> &atomic(T *word) { return *reinterpret_cast<std::atomic<T> *>(word); }
template <class T> const std::atomic<T> &atomic(const T *word) {
    return *reinterpret_cast<const std::atomic<T> *>(word);
}

uint64_t bits(double value) {
    uint64_t word;
    std::memcpy(&word, &value, sizeof word);
    return word;
}

bool covered(uint8_t state) { return state != VS_PENDING && state <= VS_FULL; }

// Counters follow the states, so that a reader has totals without a scan.
void count(vs_live *live, uint8_t before, uint8_t after) {
    const auto move = [](uint32_t *counter, bool was, bool is) {
        if (was != is) atomic(counter).fetch_add(is ? 1u : ~0u, std::memory_order_relaxed);
    };
    move(&live->full, before == VS_FULL, after == VS_FULL);
    move(&live->failed, before == VS_FAILED, after == VS_FAILED);
    move(&live->covered, covered(before), covered(after));
}

} // namespace

extern "C" {

int vs_publish(const vs_board *board, uint32_t index, uint8_t state, double minimum, double maximum) {
    auto &word = atomic(board->states + index);
    uint8_t before = word.load(std::memory_order_acquire);
    do {
        const bool better = state > before && before != VS_FAILED && !(state == VS_FAILED && before == VS_FULL);
        if (!better) return 0;
        atomic(board->ranges + 2 * size_t(index)).store(bits(minimum), std::memory_order_relaxed);
        atomic(board->ranges + 2 * size_t(index) + 1).store(bits(maximum), std::memory_order_relaxed);
    } while (!word.compare_exchange_weak(before, state, std::memory_order_release, std::memory_order_acquire));
    count(board->live, before, state);
    vs_touch(board);
    return 1;
}

int vs_reset(const vs_board *board, uint32_t index) {
    uint8_t before = VS_FAILED;
    if (!atomic(board->states + index).compare_exchange_strong(before, VS_PENDING)) return 0;
    count(board->live, VS_FAILED, VS_PENDING);
    vs_touch(board);
    return 1;
}

void vs_set_loading(const vs_board *board, uint32_t loading) {
    atomic(&board->live->loading).store(loading, std::memory_order_release);
    vs_touch(board);
}

void vs_touch(const vs_board *board) {
    atomic(&board->live->sequence).fetch_add(1, std::memory_order_release);
#if defined(__linux__)
    // Not FUTEX_PRIVATE: the waiters are in other processes too.
    syscall(SYS_futex, &board->live->sequence, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
#endif
}

uint8_t vs_state(const vs_board *board, uint32_t index) {
    return atomic(const_cast<const uint8_t *>(board->states) + index).load(std::memory_order_acquire);
}

uint32_t vs_load_word(const uint32_t *word) { return atomic(word).load(std::memory_order_acquire); }

void vs_states(const vs_board *board, uint8_t *out) {
    for (uint32_t index = 0; index < board->slices; ++index) out[index] = vs_state(board, index);
}

uint32_t vs_wait(const vs_board *board, uint32_t sequence, double seconds) {
    const uint32_t *word = &board->live->sequence;
    uint32_t now = vs_load_word(word);
    if (now != sequence || !(seconds > 0)) return now;
#if defined(__linux__)
    seconds = std::min(seconds, 86400.0); // a wait without end fits no time_t; the caller looks again
    const double whole = std::floor(seconds);
    timespec limit{static_cast<time_t>(whole), static_cast<long>((seconds - whole) * 1e9)};
    syscall(SYS_futex, word, FUTEX_WAIT, sequence, &limit, nullptr, 0); // any return is a reason to look again
#else
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (vs_load_word(word) == sequence && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
#endif
    return vs_load_word(word);
}

} // extern "C"
