// A block of images, forward: statistics from the moments of the patches, then each window's y where it is needed, once.
//
// Every block finds the statistics of its channels again, which is less work than it looks: D^2 products a channel, spread over the
// block. Threads lie along vectors of channels, so that they share what they read of the images, then along windows.
#include "kernels/cuda/block_of_images.h"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_passes.cuh"
#include "kernels/cuda/norm_window.cuh"
#include "kernels/cuda/patches.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr unsigned kThreads = 256, kLanes = 16, kWindows = 4, kMostParts = 4096;

template <class T_, int kWidth_, int kSide_>
struct ImagesForward {
  using T = T_;
  static constexpr int kWidth = kWidth_, kSide = kSide_;

  ImageBlock<T> block;
  double epsilon;
  Line<T> gamma, beta;
  T *mean, *rstd, *p;
  std::uint8_t* choice;
};

/// weighted [1 + D, tile] (float64), weights [D, tile] and lines [3, tile] (T), one behind the other.
template <class T>
struct ForwardMemory {
  double* weighted;
  T *weights, *lines;

  __device__ __forceinline__ ForwardMemory(double* memory, int taps, unsigned tile)
      : weighted(memory),
        weights(reinterpret_cast<T*>(memory + (static_cast<unsigned>(taps) + 1) * tile)),
        lines(weights + static_cast<unsigned>(taps) * tile) {}
  static std::size_t bytes(int taps, unsigned tile) {
    const auto d = static_cast<std::size_t>(taps);
    return tile * ((d + 1) * sizeof(double) + (d + 3) * sizeof(T));
  }
};

/// y of a window's pixels.
template <bool kWhole, class T, int kWidth, int kCount>
__device__ __forceinline__ void convolve(const PatchTaps& taps, const Patch<T> (&patch)[kCount], const T* weights, unsigned tile,
                                         Channels<T, kWidth> (&y)[kCount]) {
#pragma unroll kCount * kWidth == 1 ? 2 : 3
  for (int t = 0; t < taps.count; ++t) {
    const auto w = load_as<Channels<T, kWidth>>(weights + static_cast<unsigned>(t) * tile);
#pragma unroll
    for (int j = 0; j < kCount; ++j) {
      const T u = patch[j].template at<kWhole>(taps, t);
#pragma unroll
      for (int v = 0; v < kWidth; ++v) y[j].at[v] = fused_multiply_add(u, w.at[v], y[j].at[v]);
    }
  }
}

template <class Pass>
__global__ void __launch_bounds__(kThreads) images_forward_kernel(const __grid_constant__ Pass all, unsigned tiles, unsigned parts) {
  grid_dependency_sync();
  using T = typename Pass::T;
  constexpr int kWidth = Pass::kWidth, kSide = Pass::kSide, kCount = kSide * kSide;
  const NormGrid& grid = all.block.grid;
  const PatchTaps& taps = all.block.taps;
  const Share share(parts, tiles, grid.windows);
  const unsigned tile = blockDim.x * kWidth, first = share.tile * tile, thread = LaunchThreads::index();
  const unsigned threads = blockDim.x * blockDim.y;
  IL_DYNAMIC_SHARED(double, memory);
  const ForwardMemory<T> shared(memory, taps.count, tile);
  const T* const weights = all.block.weights(share.task);
  weigh(all.block.moments_of(share.task), taps.count, weights, grid.channels, first, tile, thread, threads, shared.weighted);
  for (unsigned i = thread; i < static_cast<unsigned>(taps.count) * tile; i += threads) {
    const unsigned channel = first + i % tile;
    shared.weights[i] = channel < grid.channels ? weights[i / tile * grid.channels + channel] : T{0};
  }
  __syncthreads();
  for (unsigned i = thread; i < tile && first + i < grid.channels; i += threads) {
    const unsigned channel = first + i;
    double variance = 0;
    for (int t = 0; t < taps.count; ++t)
      variance += static_cast<double>(shared.weights[static_cast<unsigned>(t) * tile + i]) *
                  shared.weighted[static_cast<unsigned>(t + 1) * tile + i];
    const T mean = static_cast<T>(shared.weighted[i]);
    const T rstd = static_cast<T>(1 / sqrt((variance < 0 ? 0 : variance) + all.epsilon));
    if (share.part == 0) {
      const std::int64_t at = static_cast<std::int64_t>(share.task) * grid.channels + channel;
      all.mean[at] = mean, all.rstd[at] = rstd;
    }
    shared.lines[i] = mean;
    shared.lines[tile + i] =
        static_cast<T>(all.gamma.of_task(share.task).at_or(channel, 1) * static_cast<double>(rstd));
    shared.lines[2 * tile + i] = all.beta.of_task(share.task).data[channel];
  }
  __syncthreads();
  const unsigned channel = first + threadIdx.x * kWidth;
  if (channel >= grid.channels) return;
  LineValues<T, kWidth, 3> lines;
  lines.load(shared.lines + threadIdx.x * kWidth, tile);
  const T* const images = all.block.images(share.task);
  const std::int64_t task = share.task * grid.pooled_elements() + channel;
  for (unsigned item = share.begin + threadIdx.y; item < share.end; item += blockDim.y) {
    const PatchWindow<kSide> window(grid, item);
    Patch<T> patch[kCount];
    bool whole = true;
#pragma unroll
    for (int j = 0; j < kCount; ++j) {
      patch[j] = window.patch(taps, images, static_cast<unsigned>(j));
      whole = whole && patch[j].whole(taps);
    }
    Channels<T, kWidth> y[kCount] = {};
    if (whole) {
      convolve<true>(taps, patch, shared.weights + threadIdx.x * kWidth, tile, y);
    } else {
      convolve<false>(taps, patch, shared.weights + threadIdx.x * kWidth, tile, y);
    }
    const std::int64_t at = task + grid.pixel(item);
    write_window<kSide>(y, lines, all.p + at, all.choice + at);
  }
}

}  // namespace

void block_of_images(const ConvBlockForward& k, Context& context) {
  check_images(k);
  if (k.y.shape[0] == 0) return;
  with_norm(k.y.dtype, k.pool, k.kName, {k.p, k.choice}, [&]<class T>(T, auto width, auto side) {
    using Pass = ImagesForward<T, width(), side()>;
    const Pass pass{ImageBlock<T>(k), k.epsilon,        Line<T>(k.gamma), Line<T>(k.beta),
                    k.mean.as<T>(),   k.rstd.as<T>(), k.p.as<T>(),      k.choice.as<std::uint8_t>()};
    const NormGrid& grid = pass.block.grid;
    if (grid.tasks == 0 || grid.channels == 0) return;
    const NormBlock block(grid, Pass::kWidth, kThreads, kLanes);
    const unsigned parts = parts_of(grid.windows, block.rows, kWindows, kMostParts);
    launch(images_forward_kernel<Pass>, dim3(block.tiles * parts * grid.tasks), block.block(),
           ForwardMemory<T>::bytes(pass.block.taps.count, block.lanes * Pass::kWidth), stream_of(context), pass, block.tiles, parts);
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
