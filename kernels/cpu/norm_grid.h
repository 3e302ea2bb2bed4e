// The walk over a norm-ReLU-pool block that all its kernels share: bands, windows, and per-channel sums.
//
// A band is the rows of one image that one row of windows covers (the rows of one window row, or a single row without
// pooling); an odd last row is a band of its own without windows. Bands are cut into chunks, by shape alone, for the
// threads; inside a chunk a few bands at a time (a group) are walked once for each vector of channels, with the
// channels' constants and sums in registers. Float32 sums are handed over to float64 at the end of each group.
#pragma once

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/pair_lanes.h"
#include "kernels/norm.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

template <class T>
struct NormGrid {
  std::int64_t tasks, images, height, width, channels;
  std::int64_t side;  ///< of a window: 2, or 1 without pooling
  std::int64_t window_rows, window_columns;
  std::int64_t bands_per_image, bands;
  std::int64_t group;          ///< bands walked together
  std::int64_t chunk, chunks;  ///< bands in a chunk, a multiple of `group`
  std::int64_t pixels;         ///< M
  std::int64_t padded;         ///< channels rounded up to whole vectors: the length of a scratch line
  double per_pixel;            ///< 1/M, 0 for an empty batch

  NormGrid(const Shape& y, Pool pool, const char* op) {
    IL_CHECK(y.rank() == 5, "{}: {} is not [T, N, H, W, K]", op, y.to_string());
    tasks = y[0], images = y[1], height = y[2], width = y[3], channels = y[4];
    side = pool == Pool::kNone ? 1 : 2;
    window_rows = height / side;
    window_columns = width / side;
    bands_per_image = ceil_div(height, side);
    bands = images * bands_per_image;
    pixels = images * height * width;
    padded = ceil_div(channels, Vec<T>::kLanes) * Vec<T>::kLanes;
    per_pixel = pixels == 0 ? 0.0 : 1.0 / static_cast<double>(pixels);
    group = larger(1, 32 / larger(1, window_columns));
    chunk = larger(1, kChunkElements / larger(1, side * width * channels * group)) * group;
    chunks = ceil_div(bands, chunk);
  }

  std::int64_t task_elements() const { return pixels * channels; }
  std::int64_t pooled_elements() const { return images * window_rows * window_columns * channels; }

  struct Band {
    std::int64_t first;   ///< offset of its first element in the task's y
    std::int64_t pooled;  ///< offset of its first element in the task's pooled grid
    bool windowed;
  };
  /// The row, counted over all images, that band b begins with; b = bands: the end.
  IL_INLINE std::int64_t row_of(std::int64_t b) const { return b / bands_per_image * height + b % bands_per_image * side; }
  /// The band that holds a row.
  IL_INLINE std::int64_t band_of(std::int64_t row) const {
    return row / height * bands_per_image + row % height / side;
  }
  IL_INLINE Band band(std::int64_t b) const {
    const std::int64_t n = b / bands_per_image, r = b % bands_per_image;
    return {(n * height + r * side) * width * channels, (n * window_rows + r) * window_columns * channels,
            r < window_rows};
  }
};

/// Offsets of a window's pixels from its first one.
template <int kSide>
struct WindowOffsets {
  static constexpr int kCount = kSide * kSide;
  std::int64_t at[kCount];
  template <class T>
  explicit WindowOffsets(const NormGrid<T>& grid) {
    for (int i = 0; i < kCount; ++i) at[i] = (i / kSide * grid.width + i % kSide) * grid.channels;
  }
  /// The element of each channel's chosen pixel; of the first pixel where the window is dead.
  template <class T, class Lanes>
  IL_INLINE typename Lanes::Vector pick(const Lanes& lanes, const T* window, typename Lanes::Positions choice) const {
    typename Lanes::Vector v = lanes.load(window);
    for (int i = 1; i < kCount; ++i) v = select(choice.chosen(i), lanes.load(window + at[i]), v);
    return v;
  }
};

/// f(tag) with tag::value the side of a window.
template <int kSide>
struct SideTag {
  static constexpr int value = kSide;
};
template <class F>
IL_INLINE void with_side(Pool pool, const F& f) {
  if (pool == Pool::kNone) {
    f(SideTag<1>{});
  } else {
    f(SideTag<2>{});
  }
}

/// y and ty of a task; a null ty is zero.
template <class T>
struct Maps {
  const T *y, *ty;
};

template <class T>
IL_INLINE Maps<T> stored_maps(const NormGrid<T>& grid, std::int64_t t, const ConstView& y, const ConstView& ty = {}) {
  const std::int64_t first = t * grid.task_elements();
  return {y.as<T>() + first, ty ? ty.as<T>() + first : nullptr};
}

/// The order in which a thread takes the chunks. The second pass over a task goes backward: it starts with what the
/// first one has left in the cache.
enum class Sweep { kForward, kBackward };

/// body(lanes, k, begin, end) for each group of the bands [first, last) and each vector of channels.
template <class T, class Body>
IL_INLINE void for_each_group_of(const NormGrid<T>& grid, std::int64_t first, std::int64_t last, const Body& body) {
  for (std::int64_t b = first; b < last; b += grid.group)
    for_each_vector<T>(grid.channels,
                       [&](auto lanes, std::int64_t k) { body(lanes, k, b, smaller(last, b + grid.group)); });
}

/// body(lanes, k, begin, end) for all bands, chunks spread over threads.
template <Sweep kSweep, class T, class Body>
IL_INLINE void for_each_group(const NormGrid<T>& grid, Context& context, const Body& body) {
  context.threads().parallel_for(grid.chunks, [&](std::int64_t i) {
    const std::int64_t c = kSweep == Sweep::kForward ? i : grid.chunks - 1 - i;
    for_each_group_of(grid, c * grid.chunk, smaller(grid.bands, (c + 1) * grid.chunk), body);
  });
}

/// Two sums over windows for each channel, into sums[0, channels) and sums[padded, padded + channels).
/// body(lanes, k) returns a functor (offset of a window in y, pooled offset, sum0&, sum1&) that adds the window's terms.
template <class T, class Body>
IL_INLINE void sum_over_windows(const NormGrid<T>& grid, Context& context, double* sums, const Body& body) {
  const std::int64_t line = 2 * grid.padded;
  const Scratch<double> scratch(context, larger(1, grid.chunks) * line);
  double* partial = scratch.data();
  for (std::int64_t i = 0; i < larger(1, grid.chunks) * line; ++i) partial[i] = 0;
  for_each_group<Sweep::kForward>(grid, context, [&](auto lanes, std::int64_t k, std::int64_t begin, std::int64_t end) {
    const auto add = body(lanes, k);
    using V = typename decltype(lanes)::Vector;
    V sum0 = V::zero(), sum1 = V::zero();
    for (std::int64_t b = begin; b < end; ++b) {
      const auto band = grid.band(b);
      if (!band.windowed) continue;
      for (std::int64_t q = 0; q < grid.window_columns; ++q)
        add(band.first + q * grid.side * grid.channels + k, band.pooled + q * grid.channels + k, sum0, sum1);
    }
    double* to = partial + begin / grid.chunk * line + k;
    add_to(to, sum0);
    add_to(to + grid.padded, sum1);
  });
  for (std::int64_t i = 0; i < line; ++i) sums[i] = partial[i];
  for (std::int64_t c = 1; c < grid.chunks; ++c)
    for (std::int64_t i = 0; i < line; ++i) sums[i] += partial[c * line + i];
}

/// Two sums over the pixels [first, last) for each channel, added to sums[0, channels) and sums[padded, padded + channels);
/// body(lanes, k) returns a functor (y offset of a pixel, sum0&, sum1&).
template <class T, class Body>
IL_INLINE void sum_pixel_range(const NormGrid<T>& grid, std::int64_t first, std::int64_t last, double* sums,
                               const Body& body) {
  constexpr std::int64_t kBlock = 64;  // pixels of one float32 partial; four chains keep the adders busy
  const std::int64_t step = grid.channels;
  for (std::int64_t p = first; p < last; p += kBlock)
    for_each_vector<T>(grid.channels, [&](auto lanes, std::int64_t k) {
      const auto add = body(lanes, k);
      using V = typename decltype(lanes)::Vector;
      V sum0[4], sum1[4];
      for (int i = 0; i < 4; ++i) sum0[i] = sum1[i] = V::zero();
      const std::int64_t end = smaller(last, p + kBlock);
      std::int64_t j = p;
      for (; j + 4 <= end; j += 4)
        for (int i = 0; i < 4; ++i) add((j + i) * step + k, sum0[i], sum1[i]);
      for (; j < end; ++j) add(j * step + k, sum0[0], sum1[0]);
      add_to(sums + k, (sum0[0] + sum0[1]) + (sum0[2] + sum0[3]));
      add_to(sums + grid.padded + k, (sum1[0] + sum1[1]) + (sum1[2] + sum1[3]));
    });
}

/// The same over all pixels, into `sums`.
template <class T, class Body>
IL_INLINE void sum_over_pixels(const NormGrid<T>& grid, Context& context, double* sums, const Body& body) {
  const std::int64_t chunk = ceil_div(larger(1, kChunkElements / grid.channels), 64) * 64;
  const std::int64_t chunks = ceil_div(grid.pixels, chunk), line = 2 * grid.padded;
  const Scratch<double> scratch(context, larger(1, chunks) * line);
  double* partial = scratch.data();
  for (std::int64_t i = 0; i < larger(1, chunks) * line; ++i) partial[i] = 0;
  context.threads().parallel_for(chunks, [&](std::int64_t c) {
    sum_pixel_range(grid, c * chunk, smaller(grid.pixels, (c + 1) * chunk), partial + c * line, body);
  });
  for (std::int64_t i = 0; i < line; ++i) sums[i] = partial[i];
  for (std::int64_t c = 1; c < chunks; ++c)
    for (std::int64_t i = 0; i < line; ++i) sums[i] += partial[c * line + i];
}

/// A line [task or 0, channels) of a [T|1, K] operand; null where it is absent.
template <class T>
IL_INLINE const T* line_of(const ConstView& v, std::int64_t task) {
  return v ? v.as<T>() + (v.shape[0] == 1 ? 0 : task * v.shape[-1]) : nullptr;
}
template <class T>
IL_INLINE double at_or(const T* line, std::int64_t k, double otherwise) {
  return line == nullptr ? otherwise : static_cast<double>(line[k]);
}

/// `count` lines of channel constants, padded with zeros to whole vectors.
template <class T, int kCount>
class ChannelConstants {
 public:
  ChannelConstants(const NormGrid<T>& grid, Context& context)
      : scratch_(context, kCount * grid.padded), n_(grid.padded) {
    for (std::int64_t i = 0; i < kCount * n_; ++i) scratch_.data()[i] = 0;
  }
  IL_INLINE void set(int line, std::int64_t k, double value) const {
    scratch_.data()[line * n_ + k] = static_cast<T>(value);
  }
  IL_INLINE T get(int line, std::int64_t k) const { return scratch_.data()[line * n_ + k]; }
  template <class V>
  IL_INLINE V load(int line, std::int64_t k) const {
    return V::load(scratch_.data() + line * n_ + k);
  }

 private:
  Scratch<T> scratch_;
  std::int64_t n_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
