// The patches of a block's images by window: for each window of its pooled grid and each tap of the filter, the inputs
// that the tap meets at the window's pixels, side by side.
//
// A patch u of a pixel of y is what the filter meets there: y = w . u, of D = R*S*C products. A window has kSide^2
// pixels, so kSide^2 patches, and a channel needs that of its chosen pixel alone (pick.h). Windows overlap in all but a
// few of their inputs, so the table is as large as kSide^2 copies of the padded images; it is made for a few rows of
// windows at a time.
#pragma once

#include "kernels/cpu/norm_grid.h"
#include "kernels/cpu/patches/shape.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// Taps that a pass keeps in registers, a sum or a weight each.
inline constexpr int kTapGroup = 9;
IL_INLINE std::int64_t tap_groups(const PatchShape& shape) { return ceil_div(shape.taps(), kTapGroup); }

template <int kSide, class T>
class PatchTable {
 public:
  static constexpr int kWidth = kSide * kSide;

  /// For up to `rows` neighbouring rows of windows.
  PatchTable(const PatchShape& shape, const NormGrid<T>& grid, std::int64_t rows, Context& context)
      : shape_(shape),
        columns_(shape.columns(grid.window_columns, kSide)),
        padded_columns_(columns_ + (kSide - 1) * shape.geometry.stride_w),
        offsets_(context, tap_groups(shape) * kTapGroup) {
    const std::int64_t lines = shape.rows(rows, kSide), below = (kSide - 1) * shape.geometry.stride_h;
    copy_ = Scratch<T>(context, (lines + below) * padded_columns_ * shape.z.c);
    if constexpr (kSide > 1) table_ = Scratch<T>(context, lines * columns_ * shape.z.c * kWidth);
    for (std::int64_t t = 0; t < tap_groups(shape) * kTapGroup; ++t) {
      const std::int64_t a = t / (shape.z.s * shape.z.c), b = t / shape.z.c % shape.z.s, c = t % shape.z.c;
      const std::int64_t pixel = a * shape.geometry.dilation_h * columns_ + b * shape.geometry.dilation_w;
      offsets_.data()[t] = t < shape.taps() ? (pixel * shape.z.c + c) * kWidth : 0;
    }
  }

  /// The windows of the rows [first, last) of an image.
  void fill(const T* image, std::int64_t first, std::int64_t last) const {
    const ConvGeometry& g = shape_.geometry;
    const ConvSizes& z = shape_.z;
    const std::int64_t lines = shape_.rows(last - first, kSide), below = (kSide - 1) * g.stride_h;
    const std::int64_t top = first * kSide * g.stride_h - g.pad_top, line = padded_columns_ * z.c;
    // Of a line: zeros, a row of the image from its first pixel on, zeros.
    const std::int64_t left = smaller(padded_columns_, g.pad_left) * z.c;
    const std::int64_t middle = smaller(line - left, z.w * z.c);
    for (std::int64_t i = 0; i < lines + below; ++i) {
      T* const to = copy_.data() + i * line;
      const std::int64_t row = top + i, count = row >= 0 && row < z.h ? middle : 0;
      for (std::int64_t j = 0; j < left; ++j) to[j] = 0;
      for (std::int64_t j = 0; j < count; ++j) to[left + j] = image[row * z.w * z.c + j];
      for (std::int64_t j = left + count; j < line; ++j) to[j] = 0;
    }
    if constexpr (kSide > 1) {
      const std::int64_t right = shape_.geometry.stride_w * z.c, down = below * line, count = columns_ * z.c;
      for (std::int64_t i = 0; i < lines; ++i) {
        const T* const from = copy_.data() + i * line;
        T* const to = table_.data() + i * count * kWidth;
        for (std::int64_t j = 0; j < count; ++j) {
          to[4 * j] = from[j];
          to[4 * j + 1] = from[j + right];
          to[4 * j + 2] = from[j + down];
          to[4 * j + 3] = from[j + down + right];
        }
      }
    }
  }

  /// The first tap at the window in column 0 of the i-th row that was filled; the others lie behind it by offsets().
  const T* row(std::int64_t i) const {
    const T* const first = kSide > 1 ? table_.data() : copy_.data();
    return first + i * kSide * shape_.geometry.stride_h * columns_ * shape_.z.c * kWidth;
  }
  /// From a window to the next one of its row.
  std::int64_t step() const { return kSide * shape_.geometry.stride_w * shape_.z.c * kWidth; }
  /// Of the taps [R*S*C], filled up to whole groups by taps that are like the first.
  const std::int64_t* offsets() const { return offsets_.data(); }

 private:
  const PatchShape& shape_;
  std::int64_t columns_, padded_columns_;
  Scratch<std::int64_t> offsets_;
  Scratch<T> copy_, table_;
};

/// How the windows of a task are cut: blocks of neighbouring rows of one image, whose table stays in the second-level
/// cache, and runs of blocks, each of which has sums of its own. By shape alone.
struct WindowBlocks {
  static constexpr std::int64_t kMaxRuns = 16;
  std::int64_t image_rows, rows, per_image, count, run, runs;

  template <class T>
  WindowBlocks(const PatchShape& shape, const NormGrid<T>& grid) : image_rows(grid.window_rows) {
    constexpr std::int64_t kBytes = 96 << 10;
    const std::int64_t line = shape.columns(grid.window_columns, grid.side) * shape.z.c * grid.side * grid.side;
    const std::int64_t bytes = line * grid.side * shape.geometry.stride_h * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t fit = larger(1, kBytes / larger(1, bytes));
    per_image = ceil_div(image_rows, fit);
    rows = per_image == 0 ? 0 : ceil_div(image_rows, per_image);
    count = grid.window_columns == 0 ? 0 : grid.images * per_image;
    run = larger(1, ceil_div(count, kMaxRuns));
    runs = ceil_div(count, run);
  }
};

/// body(run, table, first, rows) for the blocks of a task, runs spread over threads: `table` holds the `rows` rows of
/// windows that begin with row `first`, counted over all images.
template <int kSide, class T, class Body>
IL_INLINE void for_each_window_block(const PatchShape& shape, const NormGrid<T>& grid, const WindowBlocks& blocks,
                                     const T* x, Context& context, const Body& body) {
  context.threads().parallel_for(blocks.runs, [&](std::int64_t run) {
    const PatchTable<kSide, T> table(shape, grid, blocks.rows, context);
    for (std::int64_t i = run * blocks.run; i < smaller(blocks.count, (run + 1) * blocks.run); ++i) {
      const std::int64_t image = i / blocks.per_image, first = i % blocks.per_image * blocks.rows;
      const std::int64_t last = smaller(blocks.image_rows, first + blocks.rows);
      if (first >= last) continue;
      table.fill(x + image * shape.image(), first, last);
      body(run, table, image * blocks.image_rows + first, last - first);
    }
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
