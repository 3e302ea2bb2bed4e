// The patches of a task's images on the device (kernels/patch_moments.h), and what their moments say of y for given weights.
//
// No table of patches is built: the taps of a patch lie at distances that all patches share, which travel as arguments of the
// kernel, so that a tap costs its product and its load. Only a patch that the border cuts looks where each of its taps is.
#pragma once

#include "kernels/conv_check.h"
#include "kernels/cuda/norm_grid.cuh"
#include "kernels/patch_moments.h"

namespace innerloop::kernels::cuda {

/// What the taps of a patch meet. Taps behind the last are like the first, for loops that go in whole steps.
struct PatchTaps {
  int height = 0, width = 0, channels = 0;  ///< of an image
  int stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0;
  int span_h = 0, span_w = 0;  ///< rows and columns from the first tap to the last
  int count = 0;
  int offset[kMomentTaps] = {}, row[kMomentTaps] = {}, column[kMomentTaps] = {};

  PatchTaps() = default;
  PatchTaps(std::string_view op, const ConvGeometry& g, const ConvSizes& z) {
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    const std::int64_t rows = z.p * g.stride_h + g.pad_top + z.r * g.dilation_h, columns = z.q * g.stride_w + g.pad_left + z.s * g.dilation_w;
    IL_CHECK(rows < kMost && columns < kMost && (rows * z.w + columns) * z.c < kMost,
             "{}: images of {} x {} pixels and {} channels, padded, are too large for one launch", op, z.h, z.w, z.c);
    const auto narrow = [](std::int64_t n) { return static_cast<int>(n); };
    height = narrow(z.h), width = narrow(z.w), channels = narrow(z.c);
    stride_h = narrow(g.stride_h), stride_w = narrow(g.stride_w), pad_top = narrow(g.pad_top), pad_left = narrow(g.pad_left);
    span_h = narrow((z.r - 1) * g.dilation_h), span_w = narrow((z.s - 1) * g.dilation_w);
    count = narrow(z.r * z.s * z.c);
    for (int t = 0; t < count; ++t) {
      row[t] = t / narrow(z.s * z.c) * narrow(g.dilation_h);
      column[t] = t / channels % narrow(z.s) * narrow(g.dilation_w);
      offset[t] = narrow((std::int64_t{row[t]} * z.w + column[t]) * z.c + t % channels);
    }
  }
  IL_HD std::int64_t image() const { return static_cast<std::int64_t>(height) * width * channels; }
};

/// The patch of one pixel of y.
template <class T>
class Patch {
 public:
  Patch() = default;
  __device__ __forceinline__ Patch(const PatchTaps& taps, const T* image, unsigned row, unsigned column)
      : image_(image),
        row_(static_cast<int>(row) * taps.stride_h - taps.pad_top),
        column_(static_cast<int>(column) * taps.stride_w - taps.pad_left),
        first_((row_ * taps.width + column_) * taps.channels) {}

  /// Whether all of it is inside the image.
  __device__ __forceinline__ bool whole(const PatchTaps& taps) const {
    return row_ >= 0 && column_ >= 0 && row_ + taps.span_h < taps.height && column_ + taps.span_w < taps.width;
  }
  /// The input at a tap; kWhole: of a patch that is.
  template <bool kWhole>
  __device__ __forceinline__ T at(const PatchTaps& taps, int tap) const {
    if constexpr (!kWhole) {
      const bool inside = static_cast<unsigned>(row_ + taps.row[tap]) < static_cast<unsigned>(taps.height) &&
                          static_cast<unsigned>(column_ + taps.column[tap]) < static_cast<unsigned>(taps.width);
      if (!inside) return T{0};
    }
    return image_[first_ + taps.offset[tap]];
  }

 private:
  const T* image_ = nullptr;
  int row_ = 0, column_ = 0, first_ = 0;
};

/// Where the patches of a window's pixels are.
template <int kSide>
struct PatchWindow {
  unsigned image, row, column;  ///< image, and its window

  __device__ __forceinline__ PatchWindow(const NormGrid& grid, unsigned item) {
    const unsigned line = item / grid.window_columns;
    column = item - line * grid.window_columns;
    image = line / grid.window_rows;
    row = line - image * grid.window_rows;
  }
  /// `images` of the task. A dead window's choice gives some patch of its own.
  template <class T>
  __device__ __forceinline__ Patch<T> patch(const PatchTaps& taps, const T* images, unsigned position) const {
    return {taps, images + image * taps.image(), row * kSide + position / kSide % kSide, column * kSide + position % kSide};
  }
};

/// For weights [D, K]: line 0 of out is m . w, lines 1 to D are S w, each of the `tile` channels from `first` on. All threads of the
/// block call it; a barrier must follow.
template <class T>
__device__ __forceinline__ void weigh(const double* moments, int taps, const T* w, unsigned channels, unsigned first, unsigned tile,
                                      unsigned thread, unsigned threads, double* out) {
  for (unsigned i = thread; i < (static_cast<unsigned>(taps) + 1) * tile; i += threads) {
    const unsigned line = i / tile, channel = first + i % tile;
    double sum = 0;
    if (channel < channels)
      for (int j = 0; j < taps; ++j)
        sum += moments[static_cast<int>(line) * taps + j] * static_cast<double>(w[static_cast<unsigned>(j) * channels + channel]);
    out[i] = sum;
  }
}

/// The operands that the kernels of a block of images share. It stays where the kernel's arguments are: of a copy the taps would go to
/// local memory.
template <class T>
struct ImageBlock {
  NormGrid grid;
  PatchTaps taps;
  const T *x, *w;
  std::int64_t x_task, w_task;
  const double* moments;
  std::int64_t moments_task;

  template <class K>
  explicit ImageBlock(const K& k)
      : grid(k.y.shape, k.pool, K::kName),
        taps(K::kName, k.geometry, conv_sizes(K::kName, k.geometry, k.x, k.w, k.y)),
        x(k.x.template as<T>()),
        w(k.w.template as<T>()),
        x_task(task_stride(k.x)),
        w_task(task_stride(k.w)),
        moments(k.moments.template as<double>()),
        moments_task(task_stride(k.moments)) {}

  __device__ __forceinline__ const T* images(unsigned task) const { return x + task * x_task; }
  __device__ __forceinline__ const T* weights(unsigned task) const { return w + task * w_task; }
  __device__ __forceinline__ const double* moments_of(unsigned task) const { return moments + task * moments_task; }
};

/// What a kernel of a block of images asks of its operands, before any launch.
template <class K>
void check_images(const K& k) {
  const ConvSizes z = conv_sizes(K::kName, k.geometry, k.x, k.w, k.y);
  check_moments(K::kName, k.geometry, k.moments, k.x.shape, k.w.shape);
  IL_CHECK(k.y.shape[0] == z.tasks, "{}: the output {} must have the task extent {}", K::kName, k.y.shape.to_string(), z.tasks);
}

}  // namespace innerloop::kernels::cuda
