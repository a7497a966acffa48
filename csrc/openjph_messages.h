// openjph_messages.h - what OpenJPH has to say. It has one set of message handlers for the whole process; what they
// hear is kept per thread, and nothing is printed.
#pragma once

namespace vs {

struct OpenjphMessages {
    char text[160]; // the first warning or error
    bool warned;
};

// This thread's messages. The first call in the process puts the handlers in.
OpenjphMessages &openjph_messages();

} // namespace vs
