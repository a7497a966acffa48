// place.h - the sink: rows of stored values become rows of the volume.
#pragma once

#include "rows.h"

#include <vector>

namespace vs {

size_t size_of(vs_dtype type);

// Throws unless the metadata make sense and the slice lies inside the target; all that Placer relies on.
void check_frame(const vs_frame &frame);
void check_target(const vs_frame &frame, const vs_target &target);

// Size of the decoded frame, after `reduce`.
uint32_t reduced(uint32_t size, unsigned reduce);

class Placer final : public Sink {
public:
    // Both must have passed the checks above, and outlive this.
    Placer(const vs_frame &frame, const vs_target &target, bool gives_rgb);

    void row(uint32_t y, const Plane *planes) override;

    // Throws if rows are missing.
    Extent finish() const;

private:
    struct Stored {
        const void *samples;
        Sample type;
    };

    Stored stored(const Plane &plane, unsigned component);
    Stored looked_up(const Stored &indices);
    Stored interleaved(const Plane *planes);
    void write(uint32_t y, const Stored &row);
    unsigned char *scratch(unsigned slot, size_t bytes);

    const vs_frame &frame_;
    unsigned char *first_;
    size_t row_stride_;
    vs_dtype dtype_;
    bool is_ybr_; // the rows to come are YBR
    uint32_t rows_, columns_, channels_;
    bool is_exact_; // slope and intercept are integers, so integers stay exact
    uint32_t seen_ = 0;
    Extent written_;
};

} // namespace vs
