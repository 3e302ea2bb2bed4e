// Rows of logits in a block. A row is a handful of classes: kRowThreads neighbouring threads share it, so that loads are
// contiguous and a row's sums are a few shuffles.
#pragma once

#include <cstdint>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/grid.h"

namespace innerloop::kernels::cuda {

inline constexpr unsigned kRowThreads = 8, kRows = kBlock / kRowThreads;  ///< rows at once in a block
inline constexpr unsigned kAllLanes = 0xffffffffu;

__device__ __forceinline__ double row_sum(double x) {
#pragma unroll
  for (unsigned d = kRowThreads / 2; d > 0; d /= 2) x += __shfl_xor_sync(kAllLanes, x, static_cast<int>(d));
  return x;
}

template <class T>
__device__ __forceinline__ T row_max(T x) {
#pragma unroll
  for (unsigned d = kRowThreads / 2; d > 0; d /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, x, static_cast<int>(d));
    x = other > x ? other : x;
  }
  return x;
}

/// The sum over the block of what the first thread of each row holds, for thread 0. A second call needs a barrier before it.
__device__ __forceinline__ double sum_of_rows(double mine) {
  IL_SHARED(double, rows, [kRows]);
  if (threadIdx.x % kRowThreads == 0) rows[threadIdx.x / kRowThreads] = mine;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0)
    for (const double r : rows) sum += r;
  return sum;
}

/// The logit that a thread of a row has seen to be the largest, and its class. The first largest of a row is the largest pair
/// of (logit, lower class), which threads may find in any order; to be the same, a NaN in class 0 counts as the largest there
/// is, and a NaN elsewhere as the smallest.
template <class T>
struct FirstLargest {
  static constexpr T kInfinity = static_cast<T>(__builtin_huge_val());
  T high = -kInfinity;
  std::int64_t best;
  std::int64_t first;  ///< class that the thread sees first

  __device__ __forceinline__ explicit FirstLargest(std::int64_t first_class) : best(first_class), first(first_class) {}
  __device__ __forceinline__ void see(T x, std::int64_t c) {
    if (x != x) x = c == 0 ? kInfinity : -kInfinity;
    if (c == first || x > high) high = x, best = c;
  }
  /// The class, for every thread of the row.
  __device__ __forceinline__ std::int64_t of_row() {
#pragma unroll
    for (unsigned d = kRowThreads / 2; d > 0; d /= 2) {
      const T other = __shfl_xor_sync(kAllLanes, high, static_cast<int>(d));
      const auto at = static_cast<std::int64_t>(
          __shfl_xor_sync(kAllLanes, static_cast<long long>(best), static_cast<int>(d)));
      if (other > high || (other == high && at < best)) high = other, best = at;
    }
    return best;
  }
};

}  // namespace innerloop::kernels::cuda
