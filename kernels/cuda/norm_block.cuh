// What a block of a norm-ReLU-pool kernel does: its channel sums, and its share of the walk that writes.
//
// Threads lie along channels first, so that a warp reads whole lines of channels-last memory, then along items. A thread's sums
// are made in T over kPartialTerms items at a time and joined in float64, then the rows of the block by halving.
#pragma once

#include <algorithm>

#include "kernels/cuda/norm_grid.cuh"

namespace innerloop::kernels::cuda {

inline constexpr unsigned kPartialTerms = 32;  ///< terms of one partial in T

/// Lines of channel values, one below the other.
template <class T>
struct Lines {
  T* data;
  unsigned stride;
  __device__ __forceinline__ T& operator()(int line, unsigned channel) const { return data[line * stride + channel]; }
};

/// The same lines at one channel, as the functions of a pass see them.
template <class T>
struct Column {
  T* data;
  std::int64_t stride;
  __device__ __forceinline__ T& operator[](int line) const { return data[line * stride]; }
};

/// A thread's vectors of the lines.
template <class T, int kWidth, int kLines>
struct LineValues {
  Channels<T, kWidth> line[kLines];
  __device__ __forceinline__ void load(const T* data, std::int64_t stride) {
#pragma unroll
    for (int i = 0; i < kLines; ++i) line[i] = load_as<Channels<T, kWidth>>(data + i * stride);
  }
};

/// How a block lies over the channels: x along vectors of channels, y along items; no more rows than there are pixels.
struct NormBlock {
  unsigned lanes, rows, tiles;
  NormBlock(const NormGrid& grid, unsigned width, unsigned threads, unsigned most_lanes) {
    const unsigned vectors = grid.channels / width;
    tiles = (vectors + most_lanes - 1) / most_lanes;
    lanes = (vectors + tiles - 1) / tiles;
    rows = std::clamp(grid.pixels, 1u, threads / lanes);
  }
  dim3 block() const { return {lanes, rows}; }
  unsigned threads() const { return lanes * rows; }
};

/// How a block's threads lie over its tile, as the launch has laid them: lanes along vectors of channels, rows along items.
struct LaunchThreads {
  static __device__ __forceinline__ unsigned lanes() { return blockDim.x; }
  static __device__ __forceinline__ unsigned rows() { return blockDim.y; }
  static __device__ __forceinline__ unsigned lane() { return threadIdx.x; }
  static __device__ __forceinline__ unsigned row() { return threadIdx.y; }
  static __device__ __forceinline__ unsigned count() { return blockDim.x * blockDim.y; }
  static __device__ __forceinline__ unsigned index() { return threadIdx.y * blockDim.x + threadIdx.x; }
  static constexpr bool kAll = true;
};

/// Or the first kCount threads of a block that has but one axis; the others, in rows behind the last, take no part.
template <unsigned kCount>
struct FirstThreads {
  unsigned lanes_;
  __device__ __forceinline__ unsigned lanes() const { return lanes_; }
  __device__ __forceinline__ unsigned rows() const { return kCount / lanes_; }
  __device__ __forceinline__ unsigned lane() const { return threadIdx.x % lanes_; }
  __device__ __forceinline__ unsigned row() const { return threadIdx.x / lanes_; }
  static __device__ __forceinline__ unsigned count() { return kCount; }
  static __device__ __forceinline__ unsigned index() { return threadIdx.x; }
  static constexpr bool kAll = false;
};

/// Whether the calling thread takes part.
template <class Threads>
__device__ __forceinline__ bool takes_part(const Threads& threads) {
  return Threads::kAll || threads.index() < threads.count();
}

/// Doubles from one line of a block's sums to the next. With the padding, the four lines of a vector start in different banks:
/// threads that each take a channel then read without conflicts.
IL_HD constexpr unsigned sum_stride(unsigned threads) { return threads + 4; }

/// sums[i * sum_stride(threads) + thread], i < kValues, added up over the rows of a block by halving, into those of row 0.
template <int kValues, class Threads>
__device__ __forceinline__ void join_rows(const Threads& threads, double* sums, unsigned half) {
  const unsigned stride = sum_stride(threads.count());
  double* const mine = sums + threads.index();
  for (; half > 0; half /= 2) {
    __syncthreads();
    if (threads.row() < half && threads.row() + half < threads.rows()) {
#pragma unroll
      for (int i = 0; i < kValues; ++i) mine[i * stride] += mine[i * stride + half * threads.lanes()];
    }
  }
  __syncthreads();
}

/// total[i] of the rows of a block, added up into sums[i * sum_stride(threads) + lane].
template <int kValues, class Threads>
__device__ __forceinline__ void sum_over_rows(const Threads& threads, const double (&total)[kValues], double* sums, unsigned half) {
  if (takes_part(threads)) {
#pragma unroll
    for (int i = 0; i < kValues; ++i) sums[i * sum_stride(threads.count()) + threads.index()] = total[i];
  }
  join_rows<kValues>(threads, sums, half);
}

/// A thread's share of the items [begin, end): sum 0 of each channel, then sum 1.
template <class Pass, class Threads>
__device__ __forceinline__ void add_items(const Pass& pass, const Threads& threads, unsigned begin, unsigned end, unsigned channel,
                                          const LineValues<typename Pass::T, Pass::kWidth, Pass::kGiven>& given,
                                          double (&total)[2 * Pass::kWidth]) {
  const unsigned rows = threads.rows();
  for (unsigned item = begin + threads.row(); item < end; item += kPartialTerms * rows) {
    Channels<typename Pass::T, Pass::kWidth> sum0{}, sum1{};
    const unsigned count = min(kPartialTerms, (end - item + rows - 1) / rows);
#pragma unroll Pass::kUnroll
    for (unsigned i = 0; i < count; ++i) pass.add(item + i * rows, channel, given, sum0, sum1);
#pragma unroll
    for (int v = 0; v < Pass::kWidth; ++v) {
      total[v] += static_cast<double>(sum0.at[v]);
      total[Pass::kWidth + v] += static_cast<double>(sum1.at[v]);
    }
  }
}

/// Shared memory of a block that sums, and what each part of it is for.
template <class Pass>
struct SumMemory {
  using T = typename Pass::T;
  double* sums;
  unsigned stride;
  Lines<T> given, constants;

  static std::size_t bytes(unsigned threads, unsigned lanes) {
    return sum_stride(threads) * 2 * Pass::kWidth * sizeof(double) + lanes * Pass::kWidth * (Pass::kGiven + Pass::kConstants) * sizeof(T);
  }
  static std::size_t bytes(const NormBlock& block) { return bytes(block.threads(), block.lanes); }
  template <class Threads>
  __device__ __forceinline__ SumMemory(const Threads& threads, double* memory)
      : sums(memory), stride(sum_stride(threads.count())), given{}, constants{} {
    const unsigned tile = threads.lanes() * Pass::kWidth;
    T* lines = reinterpret_cast<T*>(memory + stride * 2 * Pass::kWidth);
    given = {lines, tile};
    constants = {lines + Pass::kGiven * tile, tile};
  }
  __device__ __forceinline__ double sum(int which, unsigned channel_of_tile) const {
    const unsigned lane = channel_of_tile / Pass::kWidth, v = channel_of_tile % Pass::kWidth;
    return sums[(which * Pass::kWidth + v) * stride + lane];
  }
};

/// body(channel, place of it in the tile) for the channels of a block's tile, spread over its threads.
template <class Pass, class Threads, class Body>
__device__ __forceinline__ void for_channels_of_tile(const Pass& pass, const Threads& threads, unsigned first, const Body& body) {
  const unsigned tile = threads.lanes() * Pass::kWidth;
  for (unsigned i = threads.index(); i < tile; i += threads.count())
    if (first + i < pass.grid.channels) body(first + i, i);
}

/// The sums of a block over [begin, end), left in `memory`.
template <class Pass, class Threads>
__device__ __forceinline__ void sum_block(const Pass& pass, const Threads& threads, unsigned begin, unsigned end, unsigned first,
                                          unsigned half, const SumMemory<Pass>& memory) {
  for_channels_of_tile(pass, threads, first, [&](unsigned channel, unsigned i) {
    pass.prepare(channel, Column<typename Pass::T>{&memory.given(0, i), memory.given.stride});
  });
  __syncthreads();
  const unsigned channel = first + threads.lane() * Pass::kWidth;
  double total[2 * Pass::kWidth] = {};
  if (takes_part(threads) && channel < pass.grid.channels) {
    LineValues<typename Pass::T, Pass::kWidth, Pass::kGiven> given;
    given.load(&memory.given(0, threads.lane() * Pass::kWidth), memory.given.stride);
    add_items(pass, threads, begin, end, channel, given, total);
  }
  sum_over_rows(threads, total, memory.sums, half);
}

/// The walk over [begin, end) with the constants at `lines`.
template <class Pass, class Threads>
__device__ __forceinline__ void write_block(const Pass& pass, const Threads& threads, unsigned begin, unsigned end, unsigned channel,
                                            const typename Pass::T* lines, std::int64_t stride) {
  LineValues<typename Pass::T, Pass::kWidth, Pass::kConstants> constants;
  constants.load(lines, stride);
  for (unsigned item = begin + threads.row(); item < end; item += threads.rows()) pass.write(item, channel, constants);
}

/// Both passes over a task and the tile of its channels from `first` on, by one block: `sums` take the first and `all` the second.
template <class Pass, class Sums, class All>
__device__ __forceinline__ void sum_and_walk(const Pass& pass, const Sums& sums, const All& all, unsigned first,
                                             unsigned half, double* shared) {
  using T = typename Pass::T;
  const SumMemory<Pass> memory(sums, shared);
  sum_block(pass, sums, 0, pass.terms(), first, half, memory);
  for_channels_of_tile(pass, sums, first, [&](unsigned channel, unsigned i) {
    pass.finish(channel, Column<T>{&memory.given(0, i), memory.given.stride}, memory.sum(0, i), memory.sum(1, i),
                Column<T>{&memory.constants(0, i), memory.constants.stride});
  });
  __syncthreads();
  const unsigned channel = first + all.lane() * Pass::kWidth;
  if (channel < pass.grid.channels)
    write_block(pass, all, 0, pass.cells(), channel, &memory.constants(0, all.lane() * Pass::kWidth), memory.constants.stride);
}

}  // namespace innerloop::kernels::cuda
