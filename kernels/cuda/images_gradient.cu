// A block of images, gradient and tangent of the gradient: sums over the chosen patches, then forms of the moments.
//
//   G = sum gz u [D],  s = sum gz, and for the tangent tG and ts of tgz
//
//   block     32 channels, a few of the taps (kTapGroup) and a part of a task's windows: a thread sums the taps of one channel over its
//             windows, in T over kPartialTerms of them at a time, then in float64, which waits in shared memory since registers are few; the
//             rows of the block join by halving
//   the last  block of a task's channels joins the parts in their order and makes of them what gradient and step ask for
//
// Parts are cut by the shape of one task, so that the bits do not depend on the tasks beside it.
#include "kernels/cuda/block_of_images.h"
#include "kernels/cuda/norm_dispatch.h"
#include "kernels/cuda/norm_passes.cuh"
#include "kernels/cuda/norm_step.cuh"
#include "kernels/cuda/patches.cuh"
#include "kernels/reduce.h"
#include "kernels/temporary.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr int kTapGroup = 9;
constexpr unsigned kThreads = 256, kLanes = 32, kWindows = 8, kMostParts = 64;

/// The sums of a block's channels once all parts have come together, [map][D + 1][lanes], the plain sum last; and S w beside them.
struct JoinedSums {
  const double *sums, *weighted, *tangent_weighted;
  unsigned lanes;
  int taps;

  __device__ __forceinline__ double patch(int map, int tap, unsigned lane) const {
    return sums[static_cast<unsigned>(map * (taps + 1) + tap) * lanes + lane];
  }
  __device__ __forceinline__ double total(int map, unsigned lane) const { return patch(map, taps, lane); }
  /// The mean of (y - centre) u, for the weights of `of`.
  __device__ __forceinline__ double about(const double* of, double centre, const double* moments, int tap, unsigned lane) const {
    return of[static_cast<unsigned>(tap + 1) * lanes + lane] + (of[lane] - centre) * moments[tap];
  }
};

/// Where a task's weights, or their tangents, are written, and the step that they may take.
template <class T>
struct WeightsOut {
  T* out = nullptr;
  std::int64_t task = 0;
  const T* from = nullptr;  ///< null: no step
  std::int64_t from_task = 0;
  T rate = 0;

  WeightsOut(const View& v, const WeightStep& step)
      : out(v.as<T>()),
        task(v.shape.numel() / v.shape[0]),
        from(step.from.as<T>()),
        from_task(step.from ? task_stride(step.from) : 0),
        rate(static_cast<T>(step.rate)) {}
  __device__ __forceinline__ void write(unsigned of_task, unsigned at, double gradient) const {
    const T g = static_cast<T>(gradient);
    out[of_task * task + at] = from == nullptr ? g : descended(from[of_task * from_task + at], rate, g);
  }
};

/// What a channel brings to the gradients of its taps. Nine doubles, so that the threads of a warp read theirs from different banks.
struct ChannelConstants {
  double mean, a, s, along;     // A, the sum of gz, rstd ggamma
  double b, tmean, ts, talong;  // of the tangent
  double unused = 0;
};

template <class T_, int kSide_>
struct ImagesGrad {
  using T = T_;
  static constexpr int kSide = kSide_, kMaps = 1;

  ImageBlock<T> block;
  Line<T> gamma, mean, rstd;
  const std::uint8_t* choice;
  const T* maps[kMaps];
  T *ggamma, *gbeta;
  WeightsOut<T> weights;
  ChannelStep<T> step;

  __device__ __forceinline__ const T* tangents(unsigned) const { return nullptr; }
  __device__ __forceinline__ ChannelConstants finish(const JoinedSums& joined, unsigned task, unsigned channel, unsigned lane) const {
    const double centre = static_cast<double>(mean.of_task(task).data[channel]);
    const double r = static_cast<double>(rstd.of_task(task).data[channel]);
    const double s = joined.total(0, lane);
    const T* const w = block.weights(task);
    double dot = -centre * s;
    for (int t = 0; t < joined.taps; ++t)
      dot += static_cast<double>(w[static_cast<unsigned>(t) * block.grid.channels + channel]) * joined.patch(0, t, lane);
    const double gg = r * dot;
    const std::int64_t at = static_cast<std::int64_t>(task) * block.grid.channels + channel;
    ggamma[at] = static_cast<T>(gg), gbeta[at] = static_cast<T>(s);
    step.of_task(task, block.grid.channels).take(channel, static_cast<T>(gg), static_cast<T>(s));
    return {centre, gamma.of_task(task).at_or(channel, 1) * r, s, r * gg, 0, 0, 0, 0};
  }
  __device__ __forceinline__ double of_tap(const JoinedSums& joined, const ChannelConstants& c, const double* moments, int tap,
                                           unsigned lane) const {
    const double v = joined.about(joined.weighted, c.mean, moments, tap, lane);
    return c.a * (joined.patch(0, tap, lane) - c.s * moments[tap] - c.along * v);
  }
};

template <class T_, int kSide_>
struct ImagesGradTangent {
  using T = T_;
  static constexpr int kSide = kSide_, kMaps = 2;

  ImageBlock<T> block;
  Line<T> gamma, mean, rstd, ggamma, tgamma, tmean, trstd;
  const std::uint8_t* choice;
  const T* maps[kMaps];  ///< the second may be absent
  const T* tw;
  std::int64_t tw_task;
  T *tggamma, *tgbeta;  ///< null where a step takes them
  WeightsOut<T> weights;
  ChannelStep<T> step;

  __device__ __forceinline__ const T* tangents(unsigned task) const { return tw == nullptr ? nullptr : tw + task * tw_task; }
  __device__ __forceinline__ ChannelConstants finish(const JoinedSums& joined, unsigned task, unsigned channel, unsigned lane) const {
    const unsigned channels = block.grid.channels;
    const double centre = static_cast<double>(mean.of_task(task).data[channel]);
    const double r = static_cast<double>(rstd.of_task(task).data[channel]), g = gamma.of_task(task).at_or(channel, 1);
    const double gg = static_cast<double>(ggamma.of_task(task).data[channel]);
    const double tm = tmean.of_task(task).at_or(channel, 0), tr = trstd.of_task(task).at_or(channel, 0);
    const double s = joined.total(0, lane), ts = joined.total(1, lane);
    const T *const w = block.weights(task), *const v = tangents(task);
    double dot = -tm * s - centre * ts;
    for (int t = 0; t < joined.taps; ++t) {
      const unsigned at = static_cast<unsigned>(t) * channels + channel;
      dot += static_cast<double>(w[at]) * joined.patch(1, t, lane);
      if (v != nullptr) dot += static_cast<double>(v[at]) * joined.patch(0, t, lane);
    }
    const double tgg = r * dot + tr * gg / r;
    if (tggamma != nullptr) tggamma[static_cast<std::int64_t>(task) * channels + channel] = static_cast<T>(tgg);
    if (tgbeta != nullptr) tgbeta[static_cast<std::int64_t>(task) * channels + channel] = static_cast<T>(ts);
    step.of_task(task, channels).take(channel, static_cast<T>(tgg), static_cast<T>(ts));
    return {centre, g * r, s, r * gg, tgamma.of_task(task).at_or(channel, 0) * r + g * tr, tm, ts, tr * gg + r * tgg};
  }
  __device__ __forceinline__ double of_tap(const JoinedSums& joined, const ChannelConstants& c, const double* moments, int tap,
                                           unsigned lane) const {
    const double m = moments[tap], v = joined.about(joined.weighted, c.mean, moments, tap, lane);
    // Without a tw, ty is zero, and (ty - tmean) is not.
    const double tv = tw == nullptr ? -c.tmean * m : joined.about(joined.tangent_weighted, c.tmean, moments, tap, lane);
    const double first = joined.patch(0, tap, lane) - c.s * m - c.along * v;
    const double second = joined.patch(1, tap, lane) - c.ts * m - c.along * tv - c.talong * v;
    return c.b * first + c.a * second;
  }
};

/// A thread's sums of kTapGroup taps from `tap` on, and of the maps themselves.
template <class T, int kMaps>
struct TapSums {
  T patch[kMaps][kTapGroup] = {}, plain[kMaps] = {};

  template <bool kWhole>
  __device__ __forceinline__ void add(const PatchTaps& taps, const Patch<T>& at, int tap, const T (&g)[kMaps]) {
#pragma unroll
    for (int j = 0; j < kTapGroup; ++j) {
      const T u = at.template at<kWhole>(taps, tap + j < static_cast<int>(kMomentTaps) ? tap + j : 0);
#pragma unroll
      for (int map = 0; map < kMaps; ++map) patch[map][j] = fused_multiply_add(u, g[map], patch[map][j]);
    }
#pragma unroll
    for (int map = 0; map < kMaps; ++map) plain[map] += g[map];
  }
};

/// Shared memory of a block: first the sums of its threads; in the last block then the joined sums, S w and S tw.
template <int kMaps>
std::size_t gradient_bytes(const NormBlock& block, int taps) {
  const auto d = static_cast<std::size_t>(taps);
  return std::max(sum_stride(block.threads()) * std::size_t{kMaps * (kTapGroup + 1)},
                  block.lanes * (d + 1) * (kMaps == 1 ? 2 : 4)) * sizeof(double);
}

/// partials [task, part, kMaps, D + 1, channel]
template <class Pass>
__global__ void __launch_bounds__(kThreads)
    images_gradient_kernel(const __grid_constant__ Pass all, unsigned tiles, unsigned groups, unsigned parts, unsigned half,
                           double* partials, unsigned* tickets) {
  grid_dependency_sync();
  using T = typename Pass::T;
  constexpr int kMaps = Pass::kMaps, kSide = Pass::kSide, kValues = kMaps * (kTapGroup + 1);
  const NormGrid& grid = all.block.grid;
  const PatchTaps& taps = all.block.taps;
  const unsigned group = blockIdx.x % groups, part = blockIdx.x / groups % parts, tile = blockIdx.x / groups / parts % tiles;
  const unsigned task = blockIdx.x / groups / parts / tiles, lanes = blockDim.x, first = tile * lanes;
  const unsigned channels = grid.channels, channel = first + threadIdx.x, threads = lanes * blockDim.y, thread = LaunchThreads::index();
  const unsigned length = (grid.windows + parts - 1) / parts, begin = min(grid.windows, part * length);
  const unsigned end = channel < channels ? min(grid.windows, begin + length) : begin;
  const int tap = static_cast<int>(group) * kTapGroup, lines = taps.count + 1;
  IL_DYNAMIC_SHARED(double, shared);
  const T* const images = all.block.images(task);
  const std::int64_t pooled = task * grid.pooled_elements() + channel;

  double* const mine = shared + thread;
#pragma unroll
  for (int value = 0; value < kValues; ++value) mine[value * sum_stride(threads)] = 0;
#pragma unroll 1
  for (unsigned item = begin + threadIdx.y; item < end; item += kPartialTerms * blockDim.y) {
    TapSums<T, kMaps> sums;
    const unsigned last = min(end, item + kPartialTerms * blockDim.y);
#pragma unroll 1
    for (unsigned i = item; i < last; i += blockDim.y) {
      const std::int64_t at = pooled + grid.pixel(i);
      const std::uint8_t chosen = all.choice[at];
      if (chosen == kDead) continue;
      T g[kMaps];
#pragma unroll
      for (int map = 0; map < kMaps; ++map) g[map] = all.maps[map] == nullptr ? T{0} : all.maps[map][at];
      const Patch<T> patch = PatchWindow<kSide>(grid, i).patch(taps, images, chosen);
      if (patch.whole(taps)) {
        sums.template add<true>(taps, patch, tap, g);
      } else {
        sums.template add<false>(taps, patch, tap, g);
      }
    }
#pragma unroll
    for (int map = 0; map < kMaps; ++map) {
#pragma unroll
      for (int j = 0; j <= kTapGroup; ++j)
        mine[(map * (kTapGroup + 1) + j) * sum_stride(threads)] +=
            static_cast<double>(j < kTapGroup ? sums.patch[map][j] : sums.plain[map]);
    }
  }
  join_rows<kValues>(LaunchThreads(), shared, half);
  const unsigned all_lines = static_cast<unsigned>(kMaps * lines);
  double* const of_task = partials + static_cast<std::int64_t>(task) * parts * all_lines * channels;
  for (unsigned i = thread; i < kValues * lanes; i += threads) {
    const unsigned value = i / lanes, lane = i - value * lanes;
    const int map = static_cast<int>(value) / (kTapGroup + 1), j = static_cast<int>(value) % (kTapGroup + 1);
    const int line = j < kTapGroup ? tap + j : taps.count;
    const bool wanted = j < kTapGroup ? line < taps.count : group == 0;
    if (wanted && first + lane < channels)
      of_task[(static_cast<std::int64_t>(part) * all_lines + static_cast<unsigned>(map * lines + line)) * channels + first + lane] =
          shared[value * sum_stride(threads) + lane];
  }
  if (!is_last_block(tickets + task * tiles + tile, parts * groups)) return;

  double* const joined = shared;
  double* const weighted = joined + all_lines * lanes;
  for (unsigned i = thread; i < all_lines * lanes; i += threads) {
    const unsigned line = i / lanes, lane = i - line * lanes;
    double sum = 0;
    if (first + lane < channels)
      for (unsigned p = 0; p < parts; ++p)
        sum += of_task[(static_cast<std::int64_t>(p) * all_lines + line) * channels + first + lane];
    joined[i] = sum;
  }
  const double* const moments = all.block.moments_of(task);
  const T* const tangents = all.tangents(task);
  double* const tangent_weighted = weighted + static_cast<unsigned>(lines) * lanes;
  weigh(moments, taps.count, all.block.weights(task), channels, first, lanes, thread, threads, weighted);
  if (tangents != nullptr) weigh(moments, taps.count, tangents, channels, first, lanes, thread, threads, tangent_weighted);
  IL_SHARED(ChannelConstants, constants, [kLanes]);
  const JoinedSums sums{joined, weighted, tangent_weighted, lanes, taps.count};
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) constants[threadIdx.x] = all.finish(sums, task, channel, threadIdx.x);
  __syncthreads();
  if (channel >= channels) return;
  for (int t = static_cast<int>(threadIdx.y); t < taps.count; t += static_cast<int>(blockDim.y))
    all.weights.write(task, static_cast<unsigned>(t) * channels + channel,
                      all.of_tap(sums, constants[threadIdx.x], moments, t, threadIdx.x));
}

template <class Pass>
void launch_gradient(const Pass& pass, Context& context) {
  const NormGrid& grid = pass.block.grid;
  if (grid.tasks == 0 || grid.channels == 0) return;
  const NormBlock block(grid, 1, kThreads, kLanes);
  IL_CHECK(std::int64_t{block.tiles} * grid.tasks <= CudaDevice::kTickets,
           "conv_block: {} tasks of {} channels are too many for one launch; lower outer.tasks", grid.tasks, grid.channels);
  const int taps = pass.block.taps.count;
  const auto groups = static_cast<unsigned>((taps + kTapGroup - 1) / kTapGroup);
  const unsigned parts = parts_of(grid.windows, block.rows, kWindows, kMostParts);
  const auto partials = context.arena().allocate(std::size_t{grid.tasks} * parts * Pass::kMaps * static_cast<std::size_t>(taps + 1) *
                                                 grid.channels * sizeof(double));
  launch(images_gradient_kernel<Pass>, dim3(groups * parts * block.tiles * grid.tasks), block.block(),
         gradient_bytes<Pass::kMaps>(block, taps), stream_of(context), pass, block.tiles, groups, parts, half_of(block.rows),
         static_cast<double*>(partials.get()), tickets_of(context));
}

/// make(gradient) with a gradient for each task, which are then added up where the output is one for all.
template <class Run>
void with_task_gradients(const View& out, std::int64_t tasks, Context& context, const Run& run_into) {
  if (out.shape[0] == tasks) return run_into(out);
  const Temporary each(out.shape.with(0, tasks), out.dtype, context);
  run_into(each.view());
  run(ReduceSum{each.view(), out}, context);
}

}  // namespace

void block_of_images(const ConvBlockGrad& k, const WeightStep& weight, const NormStep& norm, Context& context) {
  check_images(k);
  if (k.y.shape[0] == 0) return;
  IL_CHECK(!k.gx, "{}: a gradient of the images is wanted where y is absent", k.kName);
  with_task_gradients(k.gw, k.y.shape[0], context, [&](const View& gw) {
    with_norm(k.y.dtype, k.pool, k.kName, {}, [&]<class T>(T, auto width, auto side) {
      if constexpr (width() == kPack<T>)  // one channel a thread: no other width is needed
        launch_gradient(ImagesGrad<T, side()>{ImageBlock<T>(k), Line<T>(k.gamma), Line<T>(k.mean), Line<T>(k.rstd),
                                              k.choice.as<std::uint8_t>(), {k.gp.as<T>()}, k.ggamma.as<T>(), k.gbeta.as<T>(),
                                              WeightsOut<T>(gw, weight), ChannelStep<T>(norm)},
                        context);
    });
  });
}

void block_of_images(const ConvBlockGradJvp& k, const WeightStep& weight, const NormStep& norm, Context& context) {
  check_images(k);
  if (k.y.shape[0] == 0) return;
  IL_CHECK(!k.tx && !k.tgx, "{}: the images have a tangent, or their gradient one, where y is absent", k.kName);
  with_task_gradients(k.tgw, k.y.shape[0], context, [&](const View& tgw) {
    with_norm(k.y.dtype, k.pool, k.kName, {}, [&]<class T>(T, auto width, auto side) {
      if constexpr (width() == kPack<T>)
        launch_gradient(ImagesGradTangent<T, side()>{ImageBlock<T>(k),
                                                     Line<T>(k.gamma),
                                                     Line<T>(k.mean),
                                                     Line<T>(k.rstd),
                                                     Line<T>(k.ggamma),
                                                     Line<T>(k.tgamma),
                                                     Line<T>(k.tmean),
                                                     Line<T>(k.trstd),
                                                     k.choice.as<std::uint8_t>(),
                                                     {k.gp.as<T>(), k.tgp.as<T>()},
                                                     k.tw.as<T>(),
                                                     k.tw ? task_stride(k.tw) : 0,
                                                     k.tggamma.as<T>(),
                                                     k.tgbeta.as<T>(),
                                                     WeightsOut<T>(tgw, weight),
                                                     ChannelStep<T>(norm)},
                        context);
    });
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
