// From a convolution's geometry to the tables that the register tiles read: which source position each output position
// starts from, block by block, with the zero padding made real in a small copy where it is needed.
#pragma once

#include "kernels/conv.h"
#include "kernels/cpu/conv_tile.h"
#include "kernels/cpu/dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

IL_INLINE std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

/// One spatial axis: output i (of `out`) lies at out_first + i*out_step of its image and reads the source positions
/// i*in_step + tap_first + a*tap_step, a = 0 .. taps-1; those outside [0, in) are zero.
struct Axis {
  std::int64_t in = 0, out = 0;
  std::int64_t in_step = 1;
  std::int64_t out_first = 0, out_step = 1;
  std::int64_t taps = 0, tap_first = 0, tap_step = 1;

  std::int64_t span() const { return taps > 0 ? (taps - 1) * tap_step + 1 : 1; }
  /// Source positions that `count` neighbouring outputs reach.
  std::int64_t reach(std::int64_t count) const { return (count - 1) * in_step + span(); }
  bool padded() const { return tap_first < 0 || tap_first + reach(out) > in; }
};

inline Axis forward_axis(std::int64_t in, std::int64_t out, std::int64_t filter, std::int64_t stride, std::int64_t pad,
                         std::int64_t dilation) {
  return {in, out, stride, 0, 1, filter, -pad, dilation};
}

/// Rows [first, last) of a sweep, counted over all images.
struct RowRange {
  std::int64_t first = 0, last = 0;
  std::int64_t count() const { return last - first; }
};

/// A forward-like sweep over a batch of images: source [images][h.in][w.in][channels], cut into blocks of output rows.
struct ConvSweep {
  Axis h, w;
  std::int64_t images = 0;
  std::int64_t channels = 0;                ///< of the source
  std::int64_t out_w = 0, out_image = 0;    ///< destination: pixels of a row, pixels of an image
  std::int64_t out_channels = 0;            ///< of the destination
  std::int64_t rows_per_block = 1, blocks = 0;
  bool always_copied = false;               ///< read through copies where padding does not ask for them, too

  std::int64_t rows() const { return images * h.out; }
  bool in_place() const { return !always_copied && !h.padded() && !w.padded(); }
  /// Elements from one source row to the next, as the tiles see it.
  std::int64_t row_pitch() const { return (in_place() ? w.in : w.reach(w.out)) * channels; }
  std::int64_t tap_offset(std::int64_t a, std::int64_t b) const {
    return a * h.tap_step * row_pitch() + b * w.tap_step * channels;
  }
  /// Elements of the padded copy of what `rows` read, where they are read through one.
  std::int64_t copy_size(RowRange rows) const {
    std::int64_t lines = 0;
    for (std::int64_t row = rows.first; row < rows.last;) {
      const std::int64_t count = smaller(rows.last - row, h.out - row % h.out);
      lines += h.reach(count);
      row += count;
    }
    return in_place() ? 0 : lines * row_pitch();
  }
  /// Output rows that are best made together, by which a cut into rows should be divisible (kernels/cpu/winograd).
  std::int64_t row_unit() const {
    if (h.tap_step != 1) return 1;
    if (h.taps == 3 && h.in_step <= 2) return h.in_step == 1 ? 4 : 3;
    return h.taps == 2 && h.in_step == 1 ? 3 : 1;
  }
  /// Blocks of about `pixels` outputs: whole images, or whole rows of one image.
  void cut(std::int64_t pixels) {
    blocks = blocks_per_image = 0;
    if (rows() == 0 || w.out == 0) return;
    const std::int64_t wanted = larger(1, pixels / w.out);
    if (wanted >= h.out) {
      rows_per_block = ceil_div(images, ceil_div(rows(), wanted)) * h.out;
      blocks = ceil_div(rows(), rows_per_block);
      return;
    }
    rows_per_block = round_up(ceil_div(h.out, ceil_div(h.out, wanted)), row_unit());
    blocks_per_image = ceil_div(h.out, rows_per_block);
    blocks = images * blocks_per_image;
  }
  /// The rows of the blocks [first, last).
  RowRange neighbours(std::int64_t first, std::int64_t last) const { return {first_row(first), first_row(smaller(last, blocks))}; }

 private:
  std::int64_t blocks_per_image = 0;  ///< 0: a block is whole images

  std::int64_t first_row(std::int64_t block) const {
    if (blocks_per_image == 0) return smaller(rows(), block * rows_per_block);
    return block / blocks_per_image * h.out + block % blocks_per_image * rows_per_block;
  }
};

/// Readable entries behind a table's last, which repeat it: a tile may begin anywhere.
inline constexpr int kTableTail = 32;
static_assert(kTableTail >= kAccumulators);

/// The pixels of some rows: where each reads, and (padded) copies of what they read.
template <class T>
class PixelBlock {
 public:
  /// The source will begin with row `skipped` of the batch (counted over all images), the destination with its element
  /// `to_skipped`.
  PixelBlock(const ConvSweep& sweep, RowRange rows, std::int64_t skipped, std::int64_t to_skipped, Context& context)
      : sweep_(sweep),
        first_(rows.first),
        last_(rows.last),
        skipped_(skipped),
        table_(context, 2 * (pixels() + kTableTail)) {
    const std::int64_t pitch = sweep.row_pitch();
    std::int64_t* const from = table_.data();
    std::int64_t* const to = from + pixels() + kTableTail;
    std::int64_t at = 0, base = 0;
    for (std::int64_t row = first_; row < last_;) {
      const std::int64_t image = row / sweep.h.out, top = row % sweep.h.out;
      const std::int64_t count = smaller(last_ - row, sweep.h.out - top);
      if (sweep.in_place()) {
        base = (image * sweep.h.in + top * sweep.h.in_step + sweep.h.tap_first - skipped) * pitch +
               sweep.w.tap_first * sweep.channels;
      }
      for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t source = base + i * sweep.h.in_step * pitch;
        const std::int64_t out_row = sweep.h.out_first + (top + i) * sweep.h.out_step;
        const std::int64_t out_pixel = image * sweep.out_image + out_row * sweep.out_w + sweep.w.out_first;
        std::int64_t target = out_pixel * sweep.out_channels - to_skipped;
        for (std::int64_t j = 0; j < sweep.w.out; ++j, ++at) {
          from[at] = source;
          to[at] = target;
          source += sweep.w.in_step * sweep.channels;
          target += sweep.w.out_step * sweep.out_channels;
        }
      }
      base += sweep.h.reach(count) * pitch;
      row += count;
    }
    for (int i = 0; i < kTableTail; ++i) {
      from[at + i] = from[at - 1];
      to[at + i] = to[at - 1];
    }
  }

  std::int64_t pixels() const { return (last_ - first_) * sweep_.w.out; }
  std::int64_t first_pixel() const { return first_ * sweep_.w.out; }
  const std::int64_t* from() const { return table_.data(); }
  const std::int64_t* to() const { return table_.data() + pixels() + kTableTail; }
  /// Elements that fill() writes.
  std::int64_t copy_size() const { return sweep_.copy_size({first_, last_}); }

  /// The address that from() counts from: `source` itself, or `copy`, filled with the rows and their padding.
  const T* fill(const T* source, T* copy) const {
    if (sweep_.in_place()) return source;
    for_each_stretch(source, [&](std::int64_t at, const T* from, std::int64_t count) {
      const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
      from == nullptr ? __builtin_memset(copy + at, 0, bytes) : __builtin_memcpy(copy + at, from, bytes);
    });
    return copy;
  }

  /// body(at, from, count) for the stretches of the copy in their order: elements [at, at + count) are those from `from`, or
  /// zeros where it is null.
  template <class Body>
  IL_INLINE void for_each_stretch(const T* source, const Body& body) const {
    const std::int64_t channels = sweep_.channels, width = sweep_.w.reach(sweep_.w.out);
    const std::int64_t left = smaller(width, larger(0, -sweep_.w.tap_first));
    const std::int64_t begin = larger(0, sweep_.w.tap_first);
    const std::int64_t middle = larger(0, smaller(width - left, sweep_.w.in - begin));
    const std::int64_t right = width - left - middle;
    std::int64_t at = 0;
    for (std::int64_t row = first_; row < last_;) {
      const std::int64_t image = row / sweep_.h.out, top = row % sweep_.h.out;
      const std::int64_t count = smaller(last_ - row, sweep_.h.out - top);
      const std::int64_t first_line = top * sweep_.h.in_step + sweep_.h.tap_first;
      for (std::int64_t i = 0, lines = sweep_.h.reach(count); i < lines; ++i, at += width * channels) {
        const std::int64_t line = first_line + i;
        if (line < 0 || line >= sweep_.h.in) {
          body(at, nullptr, width * channels);
          continue;
        }
        body(at, nullptr, left * channels);
        if (middle * channels > 0) {  // an image without elements may have no address
          body(at + left * channels, source + ((image * sweep_.h.in + line - skipped_) * sweep_.w.in + begin) * channels,
               middle * channels);
        }
        body(at + (left + middle) * channels, nullptr, right * channels);
      }
      row += count;
    }
  }

 private:

  const ConvSweep& sweep_;
  std::int64_t first_, last_, skipped_;
  Scratch<std::int64_t> table_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
