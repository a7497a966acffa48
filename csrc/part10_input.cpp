#include "part10_input.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace vs::part10 {

namespace {

constexpr size_t first_step = 16 << 10; // holds most headers whole
constexpr size_t jump_step = 4 << 10;   // after a skip: a fragment's item header, or the rest of a data set
constexpr size_t last_step = 1 << 20;

#ifdef _WIN32
int open_file(const char *path) { return _open(path, _O_RDONLY | _O_BINARY); }
void close_file(int file) { _close(file); }
int64_t read_at(int file, uint8_t *data, size_t count, uint64_t position) {
    if (_lseeki64(file, int64_t(position), SEEK_SET) < 0) return -1;
    return _read(file, data, unsigned(count));
}
using Stat = struct _stat64;
int stat_file(int file, Stat *out) { return _fstat64(file, out); }
bool is_regular(const Stat &stat) { return (stat.st_mode & _S_IFMT) == _S_IFREG; }
#else
// Not blocking: a pipe in a folder must not hang the reader.
int open_file(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); }
void close_file(int file) { close(file); }
int64_t read_at(int file, uint8_t *data, size_t count, uint64_t position) {
    return pread(file, data, count, off_t(position));
}
using Stat = struct stat;
int stat_file(int file, Stat *out) { return fstat(file, out); }
bool is_regular(const Stat &stat) { return S_ISREG(stat.st_mode); }
#endif

} // namespace

Input::Input(const char *path) : step_(first_step), file_(open_file(path)) {
    if (file_ < 0) fail(VS_IO, "cannot open the file: %s", std::strerror(errno));
    Stat stat;
    const bool known = stat_file(file_, &stat) == 0;
    if (!known || !is_regular(stat)) {
        close_file(file_); // the destructor does not run after a throwing constructor
        fail(VS_IO, "not a regular file");
    }
    size_ = uint64_t(stat.st_size);
}

Input::~Input() {
    if (file_ >= 0) close_file(file_);
}

const uint8_t *Input::load(uint64_t position, size_t count) {
    const bool onwards = position >= start_ && position <= end_;
    const size_t step = onwards ? step_ : jump_step;
    if (onwards && step_ < last_step) step_ *= 2;
    const uint64_t left = size_ - position;
    const size_t length = size_t(left < step && left >= count ? left : step > count ? step : count);
    if (length > capacity_) {
        buffer_.reset(new uint8_t[length]);
        capacity_ = length;
    }
    window_ = buffer_.get();
    start_ = end_ = position;
    size_t got = 0;
    while (got < length) {
        const int64_t n = read_at(file_, buffer_.get() + got, length - got, position + got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(VS_IO, "cannot read the file: %s", std::strerror(errno));
        if (n == 0) break;
        got += size_t(n);
    }
    end_ = position + got;
    if (got < count) fail(VS_TRUNCATED, "the file shrank while it was read");
    return window_;
}

} // namespace vs::part10
