// Where the norm-ReLU-pool kernels stand: pixels, windows and cells of a task, and vectors of channels.
//
// A window is what the pool takes a maximum of (one pixel without pooling). A cell is a window or what is left of one at an odd
// last row or column, so that the cells cover every pixel once.
#pragma once

#include <cstdint>

#include "kernels/cuda/math.cuh"
#include "kernels/norm.h"
#include "tensor/host_device.h"

namespace innerloop::kernels::cuda {

/// Neighbouring channels of one pixel, read and written by one access.
template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth) Channels {
  T at[kWidth];
};

/// A [T|1, K] operand that may be absent.
template <class T>
struct Line {
  const T* data = nullptr;
  unsigned stride = 0;  ///< elements from one task to the next; 0 where all share one line

  Line() = default;
  explicit Line(const ConstView& v)
      : data(v.as<T>()), stride(v && v.shape[0] != 1 ? static_cast<unsigned>(v.shape[-1]) : 0) {}
  __device__ __forceinline__ Line of_task(unsigned task) const {
    Line line = *this;
    if (data != nullptr) line.data += static_cast<std::int64_t>(task) * stride;
    return line;
  }
  __device__ __forceinline__ double at_or(unsigned channel, double otherwise) const {
    return data == nullptr ? otherwise : static_cast<double>(data[channel]);
  }
};

/// `data` moved on by whole tasks; an absent operand stays absent.
template <class T>
__device__ __forceinline__ T* of_task(T* data, unsigned task, std::int64_t elements) {
  return data == nullptr ? nullptr : data + task * elements;
}

struct NormGrid {
  unsigned tasks = 0, height = 0, width = 0, channels = 0;
  unsigned window_rows = 0, window_columns = 0, cell_rows = 0, cell_columns = 0;  ///< of one image
  unsigned pixels = 0, windows = 0, cells = 0;                                    ///< of one task
  double per_pixel = 0;                                                           ///< 1/M, 0 for an empty batch

  NormGrid() = default;
  NormGrid(const Shape& y, Pool pool, std::string_view op) {
    IL_CHECK(y.rank() == 5, "{}: {} is not [T, N, H, W, K]", op, y.to_string());
    // Pixels are counted in 32 bits, with room for the stride of a block.
    constexpr std::int64_t kMost = std::int64_t{1} << 31;
    IL_CHECK(y[0] < kMost && y[4] < kMost && y[1] * y[2] * y[3] < kMost,
             "{}: {} has 2^31 pixels a task or more; make the batch smaller", op, y.to_string());
    const std::int64_t side = pool == Pool::kNone ? 1 : 2;
    const auto narrow = [](std::int64_t n) { return static_cast<unsigned>(n); };
    tasks = narrow(y[0]), height = narrow(y[2]), width = narrow(y[3]), channels = narrow(y[4]);
    window_rows = narrow(y[2] / side), window_columns = narrow(y[3] / side);
    cell_rows = narrow((y[2] + side - 1) / side), cell_columns = narrow((y[3] + side - 1) / side);
    const auto images = narrow(y[1]);
    pixels = images * height * width;
    windows = images * window_rows * window_columns;
    cells = images * cell_rows * cell_columns;
    per_pixel = pixels == 0 ? 0.0 : 1.0 / pixels;
  }

  IL_HD std::int64_t task_elements() const { return static_cast<std::int64_t>(pixels) * channels; }
  IL_HD std::int64_t pooled_elements() const { return static_cast<std::int64_t>(windows) * channels; }
  __device__ __forceinline__ std::int64_t pixel(unsigned item) const {
    return static_cast<std::int64_t>(item) * channels;
  }
};

/// A window, as offsets of elements from the start of its task's y and of its task's pooled grid.
template <int kSide>
struct WindowPlace {
  std::int64_t first, pooled;

  __device__ __forceinline__ WindowPlace(const NormGrid& grid, unsigned item) : first(0), pooled(grid.pixel(item)) {
    if constexpr (kSide == 1) {
      first = pooled;
    } else {
      const unsigned line = item / grid.window_columns, column = item - line * grid.window_columns;
      const unsigned image = line / grid.window_rows, row = line - image * grid.window_rows;
      first = grid.pixel((image * grid.height + row * kSide) * grid.width + column * kSide);
    }
  }
};

/// A cell: `right` and `below` say which of its pixels exist.
template <int kSide>
struct CellPlace {
  std::int64_t first, pooled;
  bool windowed, right, below;

  __device__ __forceinline__ CellPlace(const NormGrid& grid, unsigned item)
      : first(0), pooled(0), windowed(true), right(true), below(true) {
    if constexpr (kSide == 1) {
      first = pooled = grid.pixel(item);
    } else {
      const unsigned line = item / grid.cell_columns, column = item - line * grid.cell_columns;
      const unsigned image = line / grid.cell_rows, row = line - image * grid.cell_rows;
      first = grid.pixel((image * grid.height + row * kSide) * grid.width + column * kSide);
      right = column < grid.window_columns, below = row < grid.window_rows;
      windowed = right && below;
      if (windowed) pooled = grid.pixel((image * grid.window_rows + row) * grid.window_columns + column);
    }
  }
  __device__ __forceinline__ bool has(int position) const {
    return (position % kSide == 0 || right) && (position / kSide == 0 || below);
  }
};

/// Offset of a window's pixel from its first one.
template <int kSide>
__device__ __forceinline__ std::int64_t offset_in_window(const NormGrid& grid, int position) {
  return grid.pixel(static_cast<unsigned>(position / kSide) * grid.width + static_cast<unsigned>(position % kSide));
}

/// All pixels of a window. Where only the chosen ones are wanted this is still the cheaper way: the choices of neighbouring
/// channels differ, so nearly every sector is touched, and whole vectors take a quarter of the requests.
template <int kSide, class T, int kWidth>
struct WindowValues {
  static constexpr int kCount = kSide * kSide;
  Channels<T, kWidth> pixel[kCount];

  __device__ __forceinline__ WindowValues(const NormGrid& grid, const T* first) {
#pragma unroll
    for (int j = 0; j < kCount; ++j)
      pixel[j] = load_as<Channels<T, kWidth>>(first + offset_in_window<kSide>(grid, j));
  }
  /// Channel v at position `choice`; of the first pixel where the window is dead. By the bits of the choice, two levels of
  /// selects: of a chain of comparisons nvcc makes an index into a copy in local memory.
  __device__ __forceinline__ T pick(int v, std::uint8_t choice) const {
    if constexpr (kCount == 1) {
      return pixel[0].at[v];
    } else {
      static_assert(kCount == 4 && kDead == 4, "the two low bits of a choice are its column and its row");
      const T upper = (choice & 1) != 0 ? pixel[1].at[v] : pixel[0].at[v];
      const T lower = (choice & 1) != 0 ? pixel[3].at[v] : pixel[2].at[v];
      return (choice & 2) != 0 ? lower : upper;
    }
  }
};

/// What the windows' chosen pixels hold: from `kept`, or where that is null from all pixels of `y`, both of one task.
template <int kSide, class T, int kWidth>
__device__ __forceinline__ Channels<T, kWidth> at_chosen(const NormGrid& grid, const T* kept, const T* y, const WindowPlace<kSide>& place,
                                                         unsigned channel, const Channels<std::uint8_t, kWidth>& position) {
  if (kept != nullptr) return load_as<Channels<T, kWidth>>(kept + place.pooled + channel);
  if constexpr (kWidth == 1) {  // nothing to load in vectors
    const int where = kSide == 1 ? 0 : position.at[0] & 3;
    return {{y[place.first + offset_in_window<kSide>(grid, where) + channel]}};
  }
  const WindowValues<kSide, T, kWidth> values(grid, y + place.first + channel);
  Channels<T, kWidth> picked;
#pragma unroll
  for (int v = 0; v < kWidth; ++v) picked.at[v] = values.pick(v, position.at[v]);
  return picked;
}

}  // namespace innerloop::kernels::cuda
