#include "file.h"

#include "codec.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#ifdef _WIN32
#include <io.h>
#include <string>
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace vs {
namespace {

#ifdef _WIN32
int open_file(const char *path) { // the file system's encoding is UTF-8 for Python
    std::wstring wide(std::strlen(path) + 1, L'\0');
    MultiByteToWideChar(CP_UTF8, 0, path, -1, wide.data(), static_cast<int>(wide.size()));
    return _wopen(wide.c_str(), _O_RDONLY | _O_BINARY);
}
void close_file(int handle) { _close(handle); }
bool stat_file(int handle, uint64_t &size) {
    struct _stat64 status;
    if (_fstat64(handle, &status) != 0)
        return false;
    size = static_cast<uint64_t>(status.st_size);
    return true;
}
long long read_at(int handle, uint8_t *out, size_t length, uint64_t offset) {
    if (_lseeki64(handle, static_cast<long long>(offset), SEEK_SET) < 0)
        return -1;
    return _read(handle, out, static_cast<unsigned>(length));
}
#else
// Not blocking: a pipe in a folder is refused, and must not hang the reader before.
int open_file(const char *path) { return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); }
void close_file(int handle) { close(handle); }
bool stat_file(int handle, uint64_t &size) {
    struct stat status;
    if (fstat(handle, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return false;
    }
    size = static_cast<uint64_t>(status.st_size);
    return true;
}
long long read_at(int handle, uint8_t *out, size_t length, uint64_t offset) {
    return pread(handle, out, length, static_cast<off_t>(offset));
}
#endif

} // namespace

File::File(const char *path) : handle_(open_file(path)), size_(0) {
    if (handle_ < 0)
        fail(VS_IO, "cannot open: %s", std::strerror(errno));
    if (!stat_file(handle_, size_)) {
        const int reason = errno;
        close_file(handle_);
        fail(VS_IO, "cannot read: %s", std::strerror(reason));
    }
}

File::~File() { close_file(handle_); }

void File::read(uint64_t offset, uint64_t length, uint8_t *out) const {
    constexpr uint64_t most = 1u << 30; // some systems refuse more at once
    uint64_t done = 0;
    while (done < length) {
        const long long count = read_at(handle_, out + done, static_cast<size_t>(length - done < most ? length - done : most),
                                        offset + done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            fail(VS_IO, "cannot read: %s", std::strerror(errno));
        if (count == 0)
            fail(VS_TRUNCATED, "the file ends after %llu of %llu bytes from byte %llu on",
                 static_cast<unsigned long long>(done), static_cast<unsigned long long>(length),
                 static_cast<unsigned long long>(offset));
        done += static_cast<uint64_t>(count);
    }
}

} // namespace vs
