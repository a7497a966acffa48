// place.h - the sink: rows of stored values become rows of the volume.
#pragma once

#include "rows.h"

namespace vs {

size_t size_of(vs_dtype type);

// Throws unless the metadata make sense and the slice lies inside the target; all that Placer relies on.
void check_frame(const vs_frame &frame);
void check_target(const vs_frame &frame, const vs_target &target);

// Throws unless rows of `columns * channels` items lie inside the target. Rows and columns are at most 2^24.
void check_place(const vs_target &target, uint64_t rows, uint64_t columns, uint64_t channels);

// Compares a codestream's header with the metadata before any decoding; throws VS_MISMATCH naming both. It may hold
// fewer or more bits than BitsStored, but not more than BitsAllocated.
void check_codestream(const vs_codestream &stream, const vs_frame &frame);

// Size of the decoded frame, after `reduce`.
uint32_t reduced(uint32_t size, unsigned reduce);

class Placer final : public Sink {
public:
    // Both must have passed the checks above, and outlive this.
    Placer(const vs_frame &frame, const vs_target &target, bool gives_rgb);

    void begin(const vs_codestream &stream) override;
    void row(uint32_t y, const Plane *planes) override;

    // Throws if rows are missing.
    Extent finish() const;

private:
    struct Stored {
        const void *samples;
        Sample type;
        Field field{}; // of the samples' bits
    };

    // The values themselves; or, if that saves a pass, where in the samples they are.
    Stored stored(const Plane &plane, unsigned component, bool may_be_field = false);
    Stored looked_up(const Stored &indices);
    Stored interleaved(const Plane *planes);
    void write(uint32_t y, const Stored &row);
    void choose(Sample type);
    void widen(uint32_t y, const Extent &in);

    const vs_frame &frame_;
    unsigned char *first_;
    size_t row_stride_;
    vs_dtype dtype_;
    bool is_ybr_; // the rows to come are YBR
    uint32_t rows_, columns_, channels_;
    bool is_whole_; // slope and intercept are integers
    bool clamps_ = false; // what lies beyond the stored range is overshoot, not bits of something else
    Transform transform_ = nullptr; // of rows of type_
    Sample type_{};
    bool is_exact_ = false; // integers become integers without rounding
    uint32_t seen_ = 0;
    Extent read_, written_; // values before and after
};

} // namespace vs
