// The last step of norm-ReLU-pool: from the pixels of a window to its maximum and where it lies.
#pragma once

#include "kernels/cuda/norm_block.cuh"

namespace innerloop::kernels::cuda {

/// p and choice of one window, and the y that decides it where that is kept, from its z = (y - mean) * scale + shift; lines: mean, scale, shift.
template <int kSide, class T, int kWidth>
__device__ __forceinline__ void write_window(const Channels<T, kWidth> (&y)[kSide * kSide],
                                             const LineValues<T, kWidth, 3>& lines, T* p, std::uint8_t* choice, T* kept = nullptr) {
  Channels<T, kWidth> maximum, decides;
  Channels<std::uint8_t, kWidth> chosen;
#pragma unroll
  for (int v = 0; v < kWidth; ++v) {
    const T mean = lines.line[0].at[v], scale = lines.line[1].at[v], shift = lines.line[2].at[v];
    T best = fused_multiply_add(y[0].at[v] - mean, scale, shift);
    T nan = best;  // a NaN of the window, where has_nan
    bool has_nan = best != best;
    int position = 0;
    decides.at[v] = y[0].at[v];
#pragma unroll
    for (int j = 1; j < kSide * kSide; ++j) {
      const T z = fused_multiply_add(y[j].at[v] - mean, scale, shift);
      if (z != z) nan = z, has_nan = true;
      if (z > best) best = z, position = j, decides.at[v] = y[j].at[v];
    }
    const bool alive = best > T{0} && !has_nan;
    maximum.at[v] = has_nan ? nan : (alive ? best : T{0});
    chosen.at[v] = static_cast<std::uint8_t>(alive ? position : kDead);
  }
  store_as(p, maximum);
  store_as(choice, chosen);
  if (kept != nullptr) store_as(kept, decides);
}

/// The same of a window whose deciding y is there already, in `picked`, and its position in choice (conv_moments.h).
template <class T, int kWidth>
__device__ __forceinline__ void write_picked(const LineValues<T, kWidth, 3>& lines, const T* picked, T* p, std::uint8_t* choice) {
  auto value = load_as<Channels<T, kWidth>>(picked);
  auto chosen = load_as<Channels<std::uint8_t, kWidth>>(choice);
#pragma unroll
  for (int v = 0; v < kWidth; ++v) {
    const T z = fused_multiply_add(value.at[v] - lines.line[0].at[v], lines.line[1].at[v], lines.line[2].at[v]);
    const bool alive = z > T{0};
    value.at[v] = alive || z != z ? z : T{0};
    if (!alive) chosen.at[v] = kDead;
  }
  store_as(p, value);
  store_as(choice, chosen);
}

}  // namespace innerloop::kernels::cuda
