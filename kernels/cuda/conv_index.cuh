// From a convolution's geometry to the operands of a matrix product: which element of a tensor stands at which place of
// an operand matrix that is never built (implicit GEMM).
//
// An operand answers in two steps: outer(i), the state of a row that a thread keeps over many k, and inner(k), once a
// step; their offset is that element's place in the task's part of the tensor, or negative where the matrix holds a
// zero. Offsets are 32-bit: a task's part of any tensor has fewer than 2^30 elements (conv_launch.h checks).
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/cuda/device.cuh"
#include "tensor/host_device.h"

namespace innerloop::kernels::cuda {

/// Quotients by a number that is known before the launch: a multiplication and a shift, exact for 0 <= n < 2^31.
class FastDivisor {
 public:
  FastDivisor() = default;
  /// 1 <= divisor < 2^31.
  explicit FastDivisor(std::int64_t divisor) {
    const auto d = static_cast<std::uint64_t>(divisor < 1 ? 1 : divisor);
    shift_ = 31 + static_cast<unsigned>(std::bit_width(d - 1));
    magic_ = static_cast<unsigned>(((std::uint64_t{1} << shift_) + d - 1) / d);
  }
  IL_HD_INLINE int quotient(int n) const {
    return static_cast<int>(static_cast<std::uint64_t>(static_cast<unsigned>(n)) * magic_ >> shift_);
  }

 private:
  unsigned magic_ = 0x80000000u;
  unsigned shift_ = 31;
};

/// Added to a coordinate, puts it outside any image, and so does the sum of two such.
inline constexpr int kOutside = -(1 << 29);

/// One spatial axis: output i reads the source positions i*in_step + first + a*tap_step, those in [0, in).
struct GatherAxis {
  int in = 0, in_step = 1, first = 0, tap_step = 1;
};

/// The matrix of patches: a row for each output pixel (image, i, j), a column for each (tap a, tap b, channel).
struct Gather {
  GatherAxis h, w;
  int pixels = 0, columns = 0, channels = 1, taps_w = 1;
  int pixels_image = 1, pixels_row = 1;  ///< output pixels of an image and of a row
  int image = 0, line = 0, step = 0;     ///< elements from one source image, line and position to the next
  FastDivisor by_image, by_row, by_channels, by_taps_w;

  struct Pixel {
    int h, w, offset;
  };
  struct Column {
    int h, w, offset;
  };

  __device__ __forceinline__ Pixel pixel(int i) const {
    if (i >= pixels) return {kOutside, kOutside, 0};
    const int n = by_image.quotient(i), rest = i - n * pixels_image;
    const int p = by_row.quotient(rest), q = rest - p * pixels_row;
    const int y = p * h.in_step + h.first, x = q * w.in_step + w.first;
    return {y, x, n * image + y * line + x * step};
  }
  __device__ __forceinline__ Column column(int k) const {
    if (k >= columns) return {kOutside, kOutside, 0};
    const int tap = by_channels.quotient(k), channel = k - tap * channels;
    const int a = by_taps_w.quotient(tap), b = tap - a * taps_w;
    const int y = a * h.tap_step, x = b * w.tap_step;
    return {y, x, y * line + x * step + channel};
  }
  __device__ __forceinline__ int offset(const Pixel& pixel, const Column& column) const {
    const int y = pixel.h + column.h, x = pixel.w + column.w;
    const bool inside = static_cast<unsigned>(y) < static_cast<unsigned>(h.in) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(w.in);
    return inside ? pixel.offset + column.offset : -1;
  }
};

/// Another order of a task's output pixels: those of each 2x2 window one behind the other, window by window, and behind them what an odd
/// last column or row leaves over, image by image. So a tile of rows holds whole windows.
struct WindowOrder {
  int in_windows = 0;  ///< pixels in windows of a task; 0: pixels stay in order
  int windows_image = 1, windows_line = 1, over_image = 1;  ///< windows of an image and of a line of them; pixels left over of an image
  int pixels_image = 0, height = 0, width = 0;
  FastDivisor by_image, by_line, by_over;

  WindowOrder() = default;
  WindowOrder(std::int64_t images, std::int64_t h, std::int64_t w)
      : in_windows(static_cast<int>(4 * images * (h / 2) * (w / 2))),
        windows_image(static_cast<int>((h / 2) * (w / 2))),
        windows_line(static_cast<int>(w / 2)),
        over_image(static_cast<int>(h * w - 4 * (h / 2) * (w / 2))),
        pixels_image(static_cast<int>(h * w)),
        height(static_cast<int>(h)),
        width(static_cast<int>(w)),
        by_image(windows_image),
        by_line(windows_line),
        by_over(over_image) {}

  /// The first pixel of a window.
  __device__ __forceinline__ int window(int i) const {
    const int n = by_image.quotient(i), rest = i - n * windows_image;
    const int line = by_line.quotient(rest), column = rest - line * windows_line;
    return n * pixels_image + 2 * (line * width + column);
  }
  /// The pixel of a row.
  __device__ __forceinline__ int pixel(int row) const {
    if (in_windows == 0) return row;
    if (row < in_windows) return window(row / 4) + row / 2 % 2 * width + row % 2;
    const int n = by_over.quotient(row - in_windows), i = row - in_windows - n * over_image;
    const int right = width % 2 * height;  // of the last column; then of the last row
    return n * pixels_image + (i < right ? (i + 1) * width - 1 : (height - 1) * width + i - right);
  }
};

/// PixelRows in that order: the left operand of a forward convolution.
struct WindowRows {
  Gather gather;
  WindowOrder order;
  using Outer = Gather::Pixel;
  using Inner = Gather::Column;
  __device__ __forceinline__ Outer outer(int i) const { return gather.pixel(i < gather.pixels ? order.pixel(i) : i); }
  __device__ __forceinline__ Inner inner(int k) const { return gather.column(k); }
  __device__ __forceinline__ int offset(const Outer& o, const Inner& i) const { return gather.offset(o, i); }
};

/// Rows are pixels, k runs over taps and channels: the left operand of the input gradient.
struct PixelRows {
  Gather gather;
  using Outer = Gather::Pixel;
  using Inner = Gather::Column;
  __device__ __forceinline__ Outer outer(int i) const { return gather.pixel(i); }
  __device__ __forceinline__ Inner inner(int k) const { return gather.column(k); }
  __device__ __forceinline__ int offset(const Outer& o, const Inner& i) const { return gather.offset(o, i); }
};

/// Rows are taps and channels, k runs over pixels: the left operand of the weight gradient.
struct FilterRows {
  Gather gather;
  using Outer = Gather::Column;
  using Inner = Gather::Pixel;
  __device__ __forceinline__ Outer outer(int i) const { return gather.column(i); }
  __device__ __forceinline__ Inner inner(int k) const { return gather.pixel(k); }
  __device__ __forceinline__ int offset(const Outer& o, const Inner& i) const { return gather.offset(i, o); }
};

/// A dense matrix [depth][pitch], of which `columns` are read: the weights of the forward, gy of the weight gradient.
struct DenseColumns {
  int columns = 0, depth = 0, pitch = 0;
  using Outer = int;
  using Inner = int;
  __device__ __forceinline__ Outer outer(int n) const { return n < columns ? n : -1; }
  __device__ __forceinline__ Inner inner(int k) const { return k < depth ? k * pitch : -1; }
  __device__ __forceinline__ int offset(Outer o, Inner i) const { return (o | i) < 0 ? -1 : o + i; }
};

/// Weights read across: column c of the output, k over (tap a, tap b, channel of gy). Tap (a, b) of the sweep over gy
/// is the filter entry at first - a*step_a - b*step_b.
struct TransposedFilter {
  int columns = 0, depth = 0, pitch = 0;
  int channels = 1, taps_w = 1;
  int first = 0, step_a = 0, step_b = 0;
  FastDivisor by_channels, by_taps_w;
  using Outer = int;
  using Inner = int;
  __device__ __forceinline__ Outer outer(int c) const { return c < columns ? c * pitch : -1; }
  __device__ __forceinline__ Inner inner(int k) const {
    if (k >= depth) return -1;
    const int tap = by_channels.quotient(k), channel = k - tap * channels;
    const int a = by_taps_w.quotient(tap), b = tap - a * taps_w;
    return first - a * step_a - b * step_b + channel;
  }
  __device__ __forceinline__ int offset(Outer o, Inner i) const { return (o | i) < 0 ? -1 : o + i; }
};

}  // namespace innerloop::kernels::cuda
