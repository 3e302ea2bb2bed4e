// The two passes that every norm-ReLU-pool kernel makes: sums over a task for each channel, then a walk that writes.
//
// A pass is a struct with (T, kWidth the channels of a vector):
//   kGiven, kConstants, kUnroll                         lines of T before and after the sums; items in flight while summing
//   of_task(task)                                       the same pass with its pointers moved to a task
//   terms(), prepare(channel, given), add(item, channel, given, sum0, sum1)
//   finish(channel, given, total0, total1, constants)   writes the outputs of a channel and the constants of the walk
//   cells(), write(item, channel, constants)
//
// All of it is cut by the shape of one task alone, so that a task has the same bits whatever tasks are beside it.
#pragma once

#include <algorithm>
#include <bit>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/norm_block.cuh"
#include "kernels/cuda/tickets.cuh"

namespace innerloop::kernels::cuda {

/// Up to this many pixels a task, one block does both passes of a task and a few of its channels in one launch: the walk finds
/// in the caches what the sums have read.
inline constexpr unsigned kFusedPixels = 4096;
inline constexpr unsigned kFusedThreads = 512, kFusedChannels = 16;
inline constexpr unsigned kSplitThreads = 256, kSplitLanes = 32;

/// Both passes over one task and one tile of its channels. Block x: tile + tiles * task.
template <class Pass>
__global__ void __launch_bounds__(kFusedThreads) norm_fused_kernel(Pass all, unsigned tiles, unsigned half) {
  grid_dependency_sync();
  IL_DYNAMIC_SHARED(double, shared);
  const LaunchThreads threads;
  sum_and_walk(all.of_task(blockIdx.x / tiles), threads, threads, blockIdx.x % tiles * blockDim.x * Pass::kWidth, half, shared);
}

/// The part of a task that a block has: block x is part + parts * (tile + tiles * task).
struct Share {
  unsigned part, tile, task, begin, end;
  __device__ __forceinline__ Share(unsigned parts, unsigned tiles, unsigned items)
      : part(blockIdx.x % parts), tile(blockIdx.x / parts % tiles), task(blockIdx.x / parts / tiles), begin(0), end(0) {
    set(part, parts, items);
  }
  __device__ __forceinline__ void set(unsigned which, unsigned parts, unsigned items) {
    const unsigned length = (items + parts - 1) / parts;
    begin = min(items, which * length), end = min(items, begin + length);
  }
};

/// partials [task, part, 2, channel]; constants [task, kConstants, channel]. The last block of a task's tile joins the partials
/// and makes the constants.
template <class Pass>
__global__ void __launch_bounds__(kSplitThreads)
    norm_partial_kernel(Pass all, unsigned tiles, unsigned parts, unsigned half, double* partials,
                        typename Pass::T* constants, unsigned* tickets) {
  grid_dependency_sync();
  using T = typename Pass::T;
  IL_DYNAMIC_SHARED(double, shared);
  const LaunchThreads threads;
  const SumMemory<Pass> memory(threads, shared);
  const Share share(parts, tiles, all.terms());
  const unsigned first = share.tile * blockDim.x * Pass::kWidth, channels = all.grid.channels;
  const Pass pass = all.of_task(share.task);
  sum_block(pass, threads, share.begin, share.end, first, half, memory);
  double* const of_task = partials + static_cast<std::int64_t>(share.task) * parts * 2 * channels;
  double* const to = of_task + static_cast<std::int64_t>(share.part) * 2 * channels;
  for_channels_of_tile(all, threads, first, [&](unsigned channel, unsigned i) {
    to[channel] = memory.sum(0, i);
    to[channels + channel] = memory.sum(1, i);
  });
  if (!is_last_block(tickets + share.task * tiles + share.tile, parts)) return;
  double total[2 * Pass::kWidth] = {};
  const unsigned channel = first + threadIdx.x * Pass::kWidth;
  if (channel < channels) {
#pragma unroll 1
    for (unsigned part = threadIdx.y; part < parts; part += blockDim.y) {
      const double* from = of_task + static_cast<std::int64_t>(part) * 2 * channels + channel;
#pragma unroll
      for (int v = 0; v < Pass::kWidth; ++v) {
        total[v] += from[v];
        total[Pass::kWidth + v] += from[channels + v];
      }
    }
  }
  sum_over_rows(threads, total, memory.sums, half);
  T* const lines = constants + static_cast<std::int64_t>(share.task) * Pass::kConstants * channels;
  for_channels_of_tile(all, threads, first, [&](unsigned c, unsigned i) {
    pass.finish(c, Column<T>{&memory.given(0, i), memory.given.stride}, memory.sum(0, i), memory.sum(1, i),
                Column<T>{lines + c, channels});
  });
}

/// The walk. It goes from the last part to the first, and so begins with what the sums have left in the cache.
template <class Pass>
__global__ void __launch_bounds__(kSplitThreads)
    norm_write_kernel(Pass all, unsigned tiles, unsigned parts, const typename Pass::T* constants) {
  grid_dependency_sync();
  Share share(parts, tiles, all.cells());
  share.set(parts - 1 - share.part, parts, all.cells());
  const unsigned channel = (share.tile * blockDim.x + threadIdx.x) * Pass::kWidth, channels = all.grid.channels;
  if (channel >= channels) return;
  write_block(all.of_task(share.task), LaunchThreads(), share.begin, share.end, channel,
              constants + static_cast<std::int64_t>(share.task) * Pass::kConstants * channels + channel, channels);
}

/// The walk of a pass whose constants need no sums.
template <class Pass>
__global__ void __launch_bounds__(kSplitThreads) norm_direct_kernel(Pass all, unsigned tiles, unsigned parts) {
  grid_dependency_sync();
  using T = typename Pass::T;
  IL_DYNAMIC_SHARED(T, memory);
  const Share share(parts, tiles, all.cells());
  const LaunchThreads threads;
  const Pass pass = all.of_task(share.task);
  const unsigned tile = blockDim.x * Pass::kWidth, first = share.tile * tile;
  const Lines<T> constants{memory, tile};
  for_channels_of_tile(pass, threads, first, [&](unsigned channel, unsigned i) {
    pass.constants(channel, Column<T>{&constants(0, i), tile});
  });
  __syncthreads();
  const unsigned channel = first + threadIdx.x * Pass::kWidth;
  if (channel < pass.grid.channels)
    write_block(pass, threads, share.begin, share.end, channel, &constants(0, threadIdx.x * Pass::kWidth), tile);
}

/// Blocks along the items of a task, at least `each` items a thread.
inline unsigned parts_of(unsigned items, unsigned rows, unsigned each, unsigned most) {
  const std::uint64_t block = std::uint64_t{rows} * each;
  return static_cast<unsigned>(std::clamp<std::uint64_t>((items + block - 1) / block, 1, most));
}

/// The first step of sum_over_rows for `rows` rows.
inline unsigned half_of(unsigned rows) { return std::bit_ceil(rows) / 2; }

inline constexpr unsigned kSumItems = 16, kMostSumParts = 256, kWriteItems = 8, kMostWriteParts = 4096;

/// The sums alone, which leave their constants [T, kConstants, K] for a walk that others take.
template <class Pass>
void run_sums(const Pass& pass, typename Pass::T* constants, Context& context) {
  const NormGrid& grid = pass.grid;
  if (grid.tasks == 0 || grid.channels == 0) return;
  const NormBlock block(grid, Pass::kWidth, kSplitThreads, kSplitLanes);
  IL_CHECK(std::int64_t{block.tiles} * grid.tasks <= CudaDevice::kTickets,
           "norm: {} tasks of {} channels are too many for one launch; lower outer.tasks", grid.tasks, grid.channels);
  const unsigned parts = parts_of(pass.terms(), block.rows, kSumItems, kMostSumParts);
  const auto partials = context.arena().allocate(std::size_t{grid.tasks} * grid.channels * 2 * parts * sizeof(double));
  launch(norm_partial_kernel<Pass>, dim3(block.tiles * parts * grid.tasks), block.block(), SumMemory<Pass>::bytes(block),
         stream_of(context), pass, block.tiles, parts, half_of(block.rows), static_cast<double*>(partials.get()), constants,
         tickets_of(context));
}

template <class Pass>
void run_sums_and_walk(const Pass& pass, Context& context) {
  using T = typename Pass::T;
  const NormGrid& grid = pass.grid;
  if (grid.tasks == 0 || grid.channels == 0) return;
  const cudaStream_t stream = stream_of(context);
  if (grid.pixels <= kFusedPixels) {
    const NormBlock block(grid, Pass::kWidth, kFusedThreads, kFusedChannels / Pass::kWidth);
    launch(norm_fused_kernel<Pass>, dim3(block.tiles * grid.tasks), block.block(), SumMemory<Pass>::bytes(block), stream,
           pass, block.tiles, half_of(block.rows));
    return;
  }
  const auto constants = context.arena().allocate(std::size_t{grid.tasks} * grid.channels * Pass::kConstants * sizeof(T));
  run_sums(pass, static_cast<T*>(constants.get()), context);
  const NormBlock block(grid, Pass::kWidth, kSplitThreads, kSplitLanes);
  const unsigned write_parts = parts_of(pass.cells(), block.rows, kWriteItems, kMostWriteParts);
  launch(norm_write_kernel<Pass>, dim3(block.tiles * write_parts * grid.tasks), block.block(), 0, stream, pass, block.tiles,
         write_parts, static_cast<const T*>(constants.get()));
}

template <class Pass>
void run_walk(const Pass& pass, Context& context) {
  const NormGrid& grid = pass.grid;
  if (grid.tasks == 0 || grid.channels == 0 || pass.cells() == 0) return;
  const NormBlock block(grid, Pass::kWidth, kSplitThreads, kSplitLanes);
  const unsigned parts = parts_of(pass.cells(), block.rows, kWriteItems, kMostWriteParts);
  launch(norm_direct_kernel<Pass>, dim3(block.tiles * parts * grid.tasks), block.block(),
         std::size_t{block.lanes} * Pass::kWidth * Pass::kConstants * sizeof(typename Pass::T), stream_of(context), pass,
         block.tiles, parts);
}

}  // namespace innerloop::kernels::cuda
