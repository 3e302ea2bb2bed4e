// What a block of a norm-ReLU-pool kernel does: its channel sums, and its share of the walk that writes.
//
// Threads lie along channels first, so that a warp reads whole lines of channels-last memory, then along items. A thread's sums
// are made in T over kRun items at a time and joined in float64, then the rows of the block by halving.
#pragma once

#include <algorithm>

#include "kernels/cuda/norm_grid.cuh"

namespace innerloop::kernels::cuda {

inline constexpr unsigned kRun = 32;  ///< terms of one partial in T

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

__device__ __forceinline__ unsigned thread_of_block() { return threadIdx.y * blockDim.x + threadIdx.x; }

/// Doubles from one line of a block's sums to the next. With the padding, the four lines of a vector start in different banks:
/// threads that each take a channel then read without conflicts.
IL_HD constexpr unsigned sum_stride(unsigned threads) { return threads + 4; }

/// sums[i * sum_stride(threads) + thread], i < kValues, added up over the rows of a block by halving, into those of row 0.
template <int kValues>
__device__ __forceinline__ void join_rows(double* sums, unsigned half) {
  const unsigned stride = sum_stride(blockDim.x * blockDim.y);
  double* const mine = sums + thread_of_block();
  for (; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half && threadIdx.y + half < blockDim.y) {
#pragma unroll
      for (int i = 0; i < kValues; ++i) mine[i * stride] += mine[i * stride + half * blockDim.x];
    }
  }
  __syncthreads();
}

/// total[i] of the rows of a block, added up into sums[i * sum_stride(threads) + lane].
template <int kValues>
__device__ __forceinline__ void sum_over_rows(const double (&total)[kValues], double* sums, unsigned half) {
#pragma unroll
  for (int i = 0; i < kValues; ++i) sums[i * sum_stride(blockDim.x * blockDim.y) + thread_of_block()] = total[i];
  join_rows<kValues>(sums, half);
}

/// A thread's share of the items [begin, end): sum 0 of each channel, then sum 1.
template <class Pass>
__device__ __forceinline__ void add_items(const Pass& pass, unsigned begin, unsigned end, unsigned channel,
                                          const LineValues<typename Pass::T, Pass::kWidth, Pass::kGiven>& given,
                                          double (&total)[2 * Pass::kWidth]) {
  const unsigned rows = blockDim.y;
  for (unsigned item = begin + threadIdx.y; item < end; item += kRun * rows) {
    Channels<typename Pass::T, Pass::kWidth> sum0{}, sum1{};
    const unsigned count = min(kRun, (end - item + rows - 1) / rows);
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
  Lines<T> given, constants;

  static std::size_t bytes(const NormBlock& block) {
    return sum_stride(block.threads()) * 2 * Pass::kWidth * sizeof(double) +
           block.lanes * Pass::kWidth * (Pass::kGiven + Pass::kConstants) * sizeof(T);
  }
  __device__ __forceinline__ explicit SumMemory(double* memory) : sums(memory), given{}, constants{} {
    const unsigned tile = blockDim.x * Pass::kWidth;
    T* lines = reinterpret_cast<T*>(memory + sum_stride(blockDim.x * blockDim.y) * 2 * Pass::kWidth);
    given = {lines, tile};
    constants = {lines + Pass::kGiven * tile, tile};
  }
  __device__ __forceinline__ double sum(int which, unsigned channel_of_tile) const {
    const unsigned lane = channel_of_tile / Pass::kWidth, v = channel_of_tile % Pass::kWidth;
    return sums[(which * Pass::kWidth + v) * sum_stride(blockDim.x * blockDim.y) + lane];
  }
};

/// body(channel, place of it in the tile) for the channels of a block's tile, spread over its threads.
template <class Pass, class Body>
__device__ __forceinline__ void for_channels_of_tile(const Pass& pass, unsigned first, const Body& body) {
  const unsigned threads = blockDim.x * blockDim.y, tile = blockDim.x * Pass::kWidth;
  for (unsigned i = thread_of_block(); i < tile; i += threads)
    if (first + i < pass.grid.channels) body(first + i, i);
}

/// The sums of a block over [begin, end), left in `memory`.
template <class Pass>
__device__ __forceinline__ void sum_block(const Pass& pass, unsigned begin, unsigned end, unsigned first, unsigned half,
                                          const SumMemory<Pass>& memory) {
  for_channels_of_tile(pass, first, [&](unsigned channel, unsigned i) {
    pass.prepare(channel, Column<typename Pass::T>{&memory.given(0, i), memory.given.stride});
  });
  __syncthreads();
  const unsigned channel = first + threadIdx.x * Pass::kWidth;
  double total[2 * Pass::kWidth] = {};
  if (channel < pass.grid.channels) {
    LineValues<typename Pass::T, Pass::kWidth, Pass::kGiven> given;
    given.load(&memory.given(0, threadIdx.x * Pass::kWidth), memory.given.stride);
    add_items(pass, begin, end, channel, given, total);
  }
  sum_over_rows(total, memory.sums, half);
}

/// The walk over [begin, end) with the constants at `lines`.
template <class Pass>
__device__ __forceinline__ void write_block(const Pass& pass, unsigned begin, unsigned end, unsigned channel,
                                            const typename Pass::T* lines, std::int64_t stride) {
  LineValues<typename Pass::T, Pass::kWidth, Pass::kConstants> constants;
  constants.load(lines, stride);
  for (unsigned item = begin + threadIdx.y; item < end; item += blockDim.y) pass.write(item, channel, constants);
}

}  // namespace innerloop::kernels::cuda
