// A block of images, tangent of the forward pass: nothing but the chosen patches matters to tp, and the tangents of the statistics are
// forms of the moments.
//
//   tp = (A tw + B w) . u + tbeta - A tmean - B mean,  A = gamma rstd,  B = tgamma rstd + gamma trstd
//
// A thread has one channel, whose D weights stay in its registers.
#include "kernels/cuda/block_of_images.h"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_passes.cuh"
#include "kernels/cuda/patches.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr unsigned kThreads = 256, kLanes = 32, kWindows = 8, kMostParts = 4096;

template <class T_, int kSide_, int kTaps_>
struct ImagesTangent {
  using T = T_;
  static constexpr int kSide = kSide_, kTaps = kTaps_;  ///< taps in registers: D, or more

  ImageBlock<T> block;
  Line<T> gamma, tgamma, tbeta, mean, rstd;
  const T* tw;
  std::int64_t tw_task;
  const std::uint8_t* choice;
  T *tmean, *trstd, *tp;
};

/// A, B and the constant of a channel.
struct TangentForm {
  double a, b, constant;
};

template <bool kWhole, int kTaps, class T>
__device__ __forceinline__ T dot(const PatchTaps& taps, const Patch<T>& patch, const T (&form)[kTaps], T sum) {
#pragma unroll
  for (int t = 0; t < kTaps; ++t) sum = fused_multiply_add(patch.template at<kWhole>(taps, t), form[t], sum);
  return sum;
}

template <class Pass>
__global__ void __launch_bounds__(kThreads) images_tangent_kernel(const __grid_constant__ Pass all, unsigned tiles, unsigned parts) {
  grid_dependency_sync();
  using T = typename Pass::T;
  constexpr int kSide = Pass::kSide, kTaps = Pass::kTaps;
  const NormGrid& grid = all.block.grid;
  const PatchTaps& taps = all.block.taps;
  const Share share(parts, tiles, grid.windows);
  const unsigned tile = blockDim.x, first = share.tile * tile, threads = blockDim.x * blockDim.y, channels = grid.channels;
  IL_DYNAMIC_SHARED(double, weighted);  // [1 + D, tile]
  IL_SHARED(TangentForm, forms, [kLanes]);
  const T* const weights = all.block.weights(share.task);
  const T* const tangents = all.tw == nullptr ? nullptr : all.tw + share.task * all.tw_task;
  const double* const moments = all.block.moments_of(share.task);
  if (tangents != nullptr)
    weigh(moments, taps.count, weights, channels, first, tile, LaunchThreads::index(), threads, weighted);
  __syncthreads();
  const unsigned channel = first + threadIdx.x;
  if (threadIdx.y == 0 && channel < channels) {
    const double mean = static_cast<double>(all.mean.of_task(share.task).data[channel]);
    const double rstd = static_cast<double>(all.rstd.of_task(share.task).data[channel]);
    const double gamma = all.gamma.of_task(share.task).at_or(channel, 1);
    double tmean = 0, along = 0;
    for (int t = 0; t < taps.count && tangents != nullptr; ++t) {
      const double v = static_cast<double>(tangents[static_cast<unsigned>(t) * channels + channel]);
      const double about = weighted[static_cast<unsigned>(t + 1) * tile + threadIdx.x] + (weighted[threadIdx.x] - mean) * moments[t];
      tmean += v * moments[t];
      along += v * about;
    }
    const double trstd = -rstd * rstd * rstd * along, a = gamma * rstd;
    const double b = all.tgamma.of_task(share.task).at_or(channel, 0) * rstd + gamma * trstd;
    forms[threadIdx.x] = {a, b, all.tbeta.of_task(share.task).at_or(channel, 0) - a * tmean - b * mean};
    if (share.part == 0) {
      const std::int64_t at = static_cast<std::int64_t>(share.task) * channels + channel;
      all.tmean[at] = static_cast<T>(tmean), all.trstd[at] = static_cast<T>(trstd);
    }
  }
  __syncthreads();
  if (channel >= channels) return;
  const TangentForm& f = forms[threadIdx.x];
  T form[kTaps];
#pragma unroll
  for (int t = 0; t < kTaps; ++t) {
    const unsigned at = static_cast<unsigned>(t) * channels + channel;
    const bool exists = t < taps.count;
    const double w = exists ? static_cast<double>(weights[at]) : 0;
    const double tw = exists && tangents != nullptr ? static_cast<double>(tangents[at]) : 0;
    form[t] = static_cast<T>(f.a * tw + f.b * w);
  }
  const T constant = static_cast<T>(f.constant);
  const T* const images = all.block.images(share.task);
  const std::int64_t task = share.task * grid.pooled_elements() + channel;
#pragma unroll 1
  for (unsigned item = share.begin + threadIdx.y; item < share.end; item += blockDim.y) {
    const std::int64_t at = task + grid.pixel(item);
    const std::uint8_t chosen = all.choice[at];
    T value{0};
    if (chosen != kDead) {
      const Patch<T> patch = PatchWindow<kSide>(grid, item).patch(taps, images, chosen);
      value = patch.whole(taps) ? dot<true>(taps, patch, form, constant) : dot<false>(taps, patch, form, constant);
    }
    all.tp[at] = value;
  }
}

}  // namespace

void block_of_images(const ConvBlockJvp& k, Context& context) {
  check_images(k);
  if (k.y.shape[0] == 0) return;
  IL_CHECK(!k.tx, "{}: the images have a tangent where y is absent", k.kName);
  with_norm(k.y.dtype, k.pool, k.kName, {}, [&]<class T>(T, auto width, auto side) {
    if constexpr (width() == kPack<T>) {  // one channel a thread: no other width is needed
      const auto go = [&](auto most) {
        using Pass = ImagesTangent<T, side(), most()>;
        const Pass pass{ImageBlock<T>(k),
                        Line<T>(k.gamma),
                        Line<T>(k.tgamma),
                        Line<T>(k.tbeta),
                        Line<T>(k.mean),
                        Line<T>(k.rstd),
                        k.tw.as<T>(),
                        k.tw ? task_stride(k.tw) : 0,
                        k.choice.as<std::uint8_t>(),
                        k.tmean.as<T>(),
                        k.trstd.as<T>(),
                        k.tp.as<T>()};
        const NormGrid& grid = pass.block.grid;
        if (grid.tasks == 0 || grid.channels == 0) return;
        const NormBlock block(grid, 1, kThreads, kLanes);
        const unsigned parts = parts_of(grid.windows, block.rows, kWindows, kMostParts);
        launch(images_tangent_kernel<Pass>, dim3(block.tiles * parts * grid.tasks), block.block(),
               std::size_t{block.lanes} * static_cast<std::size_t>(pass.block.taps.count + 1) * sizeof(double), stream_of(context),
               pass, block.tiles, parts);
      };
      if (moments_shape(k.x.shape, k.w.shape)[2] <= 9) {
        go(std::integral_constant<int, 9>{});
      } else {
        go(std::integral_constant<int, static_cast<int>(kMomentTaps)>{});
      }
    }
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
