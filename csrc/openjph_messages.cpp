#ifdef VOLSTREAM_OPENJPH

#include "openjph_messages.h"

#include <openjph/ojph_message.h>
#include <openjph/ojph_version.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace vs {

namespace {

thread_local OpenjphMessages messages;

#if OPENJPH_VERSION_MAJOR > 0 || OPENJPH_VERSION_MINOR >= 14

void take(const char *format, va_list values) {
    if (messages.text[0] == 0)
        std::vsnprintf(messages.text, sizeof messages.text, format, values);
}

struct OnInfo final : ojph::message_info {
    void operator()(int, const char *, int, const char *, ...) override {}
};

struct OnWarning final : ojph::message_warning {
    void operator()(int, const char *, int, const char *format, ...) override {
        va_list values;
        va_start(values, format);
        take(format, values);
        va_end(values);
        messages.warned = true;
    }
};

struct OnError final : ojph::message_error {
    void operator()(int, const char *, int, const char *format, ...) override {
        va_list values;
        va_start(values, format);
        take(format, values);
        va_end(values);
        throw std::runtime_error(messages.text);
    }
};

void listen() {
    static OnInfo info;
    static OnWarning warning;
    static OnError error;
    ojph::configure_info(&info);
    ojph::configure_warning(&warning);
    ojph::configure_error(&error);
}

#else // before 0.14 handlers were accepted and ignored; only the streams printed to can be replaced

#ifdef __GLIBC__
ssize_t take(void *is_warning, const char *text, size_t size) {
    const size_t used = std::strlen(messages.text), left = sizeof messages.text - 1 - used;
    std::memcpy(messages.text + used, text, size < left ? size : left);
    messages.text[std::strcspn(messages.text, "\n")] = 0;
    if (is_warning)
        messages.warned = true;
    return ssize_t(size);
}

FILE *listener(bool is_warning) {
    static char mark;
    cookie_io_functions_t functions{};
    functions.write = take;
    FILE *stream = fopencookie(is_warning ? &mark : nullptr, "w", functions);
    if (stream)
        std::setvbuf(stream, nullptr, _IONBF, 0);
    return stream;
}
#else
FILE *listener(bool) { return nullptr; }
#endif

void listen() {
    FILE *nowhere = std::fopen("/dev/null", "w");
    FILE *warning = listener(true), *error = listener(false);
    if (nowhere)
        ojph::set_info_stream(nowhere);
    if (warning || nowhere)
        ojph::set_warning_stream(warning ? warning : nowhere);
    if (error || nowhere)
        ojph::set_error_stream(error ? error : nowhere);
}

#endif

} // namespace

OpenjphMessages &openjph_messages() {
    static const bool listening = (listen(), true);
    (void)listening;
    return messages;
}

} // namespace vs

#endif
