// What the kernels over lists of tensors share: the list as an argument, the piece of it that a block has, Adam on one element, and
// sums over each tensor.
#pragma once

#include <cmath>

#include "kernels/cuda/math.cuh"
#include "kernels/update_lists.h"

namespace innerloop::kernels::cuda {

inline constexpr unsigned kThreads = 256;
inline constexpr std::int64_t kPiece = 4 * kThreads;  ///< elements a block

struct ListEntry {
  const void *a, *b;  ///< read
  void *p, *q, *r;    ///< written
  std::int64_t count, period;
  std::int32_t first_block;
};

struct List {
  ListEntry entry[kMaxList];
  std::int32_t size;
};

struct Piece {
  const ListEntry* entry;
  std::int64_t begin, end;
};

__device__ __forceinline__ Piece piece_of_block(const List& list) {
  int i = list.size - 1;
  while (i > 0 && list.entry[i].first_block > static_cast<int>(blockIdx.x)) --i;
  const ListEntry& e = list.entry[i];
  const std::int64_t begin = (static_cast<int>(blockIdx.x) - e.first_block) * kPiece;
  return {&e, begin, begin + kPiece < e.count ? begin + kPiece : e.count};
}

template <class T>
struct AdamConstants {
  T beta1, rest1, beta2, rest2, epsilon, clip;
};

template <class T>
AdamConstants<T> adam_constants(const AdamList& k) {
  return {static_cast<T>(k.beta1), static_cast<T>(1 - k.beta1), static_cast<T>(k.beta2), static_cast<T>(1 - k.beta2),
          static_cast<T>(k.epsilon), k.clip > 0 ? static_cast<T>(k.clip) : static_cast<T>(HUGE_VAL)};
}

template <class T>
__device__ __forceinline__ void adam_element(const AdamConstants<T>& c, T rate, T unbias2, T raw, T& theta, T& m, T& v) {
  const T g = raw < -c.clip ? -c.clip : (raw > c.clip ? c.clip : raw);  // a NaN stays a NaN
  const T new_m = fused_multiply_add(c.beta1, m, c.rest1 * g);
  const T new_v = fused_multiply_add(c.beta2, v, c.rest2 * (g * g));
  m = new_m;
  v = new_v;
  theta -= rate * new_m / (sqrt(new_v * unbias2) + c.epsilon);
}

/// Folds `value` over the block in a fixed tree; the result is in thread 0.
__device__ __forceinline__ double block_sum(double value) {
  IL_SHARED(double, warp_total, [kThreads / 32]);
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(0xFFFFFFFFu, value, offset);
  if (threadIdx.x % 32 == 0) warp_total[threadIdx.x / 32] = value;
  __syncthreads();
  double total = 0;
  if (threadIdx.x == 0)
    for (unsigned w = 0; w < kThreads / 32; ++w) total += warp_total[w];
  return total;
}

/// sum = the partial sums of entry i's blocks, in a fixed order; a whole warp calls it.
__device__ __forceinline__ void join_entry(const List& list, int i, const double* partial, double* sum) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int end = i + 1 < list.size ? list.entry[i + 1].first_block : static_cast<int>(gridDim.x);
  double mine = 0;
  for (int b = list.entry[i].first_block + lane; b < end; b += 32) mine += partial[b];
  for (int offset = 16; offset > 0; offset /= 2) mine += __shfl_down_sync(0xFFFFFFFFu, mine, offset);
  if (lane == 0) *sum = mine;
}

/// Cuts `n` tensors into launches of at most kMaxList: fill(i) makes an entry, whose pieces are counted here, and
/// go(list, first, blocks) launches.
template <class Fill, class Go>
void in_lists(std::size_t n, const Fill& fill, const Go& go) {
  for (std::size_t first = 0; first < n; first += kMaxList) {
    List list{};
    std::int32_t blocks = 0;
    for (std::size_t i = first; i < n && i < first + kMaxList; ++i) {
      ListEntry entry = fill(i);
      entry.first_block = blocks;
      blocks += static_cast<std::int32_t>((entry.count + kPiece - 1) / kPiece);
      list.entry[list.size++] = entry;
    }
    if (blocks > 0) go(list, first, blocks);
  }
}

}  // namespace innerloop::kernels::cuda
