// The moments of patches (kernels/patch_moments.h) as one sum of products: with u a patch less the middle of its channels' values and
// a one behind it, the sum of u u^T holds the sums, the products and their count.
//
//   block     256 threads over a part of a task's pixels: 64 patches at a time lie in shared memory, each thread has the products of
//             three lines with three others, and neighbouring threads have other lines
//   parts     are cut by the shape of one task; the last block of a task joins them in order
//
// In float64 throughout: products of two float32 are exact there, and about a middle of the values the covariance does not cancel.
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/norm_passes.cuh"
#include "kernels/cuda/patches.cuh"
#include "kernels/cuda/tickets.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr int kSide = 3;  ///< lines by lines of a thread
constexpr unsigned kThreads = 256, kTogether = 64, kPitch = kTogether + 1, kSamples = 16;
constexpr unsigned kPartPixels = 1024, kMostParts = 128;

struct MomentsParams {
  PatchTaps taps;
  unsigned pixels, image_pixels, row;  ///< of y: a task's, an image's, a row's
  unsigned parts, blocks;              ///< blocks of lines, of which there are taps + 1
  double* partials;                    ///< [task, part, pairs of blocks, kSide * kSide]
  double* moments;
  unsigned* tickets;
  const void* x;
  std::int64_t x_task;
  unsigned images, all;  ///< images of a task; blocks of all tasks

  IL_HD unsigned lines() const { return blocks * kSide; }
  IL_HD unsigned pairs() const { return blocks * (blocks + 1) / 2; }
  IL_HD unsigned sums() const { return pairs() * kSide * kSide; }
};

/// The i-th pair of blocks, left <= right.
struct BlockPair {
  unsigned left = 0, right = 0;
  __device__ __forceinline__ BlockPair(unsigned i, unsigned blocks) {
    while (i >= blocks - left) i -= blocks - left, ++left;
    right = left + i;
  }
};

/// The mean of a few values spread over a task's images, by channel.
template <class T>
__device__ __forceinline__ void find_middle(const PatchTaps& taps, const T* x, unsigned images, double* middle) {
  const std::int64_t pixels = static_cast<std::int64_t>(images) * taps.height * taps.width;
  const auto samples = static_cast<unsigned>(min(static_cast<std::int64_t>(kSamples), pixels));
  for (unsigned c = threadIdx.x; c < static_cast<unsigned>(taps.channels); c += kThreads) {
    double sum = 0;
    for (unsigned i = 0; i < samples; ++i)
      sum += static_cast<double>(x[(2 * i + 1) * pixels / (2 * samples) * taps.channels + c]);
    middle[c] = samples == 0 ? 0 : sum / samples;
  }
}

/// The work of block `block` of a set of images.
template <class T>
__device__ __forceinline__ void moments_block(const MomentsParams& p, const T* x_all, unsigned block) {
  IL_DYNAMIC_SHARED(double, lines);  // [lines, kPitch], and later the sums of all threads
  IL_SHARED(double, middle, [kMomentTaps]);
  const unsigned part = block % p.parts, task = block / p.parts, thread = threadIdx.x;
  const unsigned taps = static_cast<unsigned>(p.taps.count), each = (p.pixels + p.parts - 1) / p.parts;
  const unsigned begin = min(p.pixels, part * each), end = min(p.pixels, begin + each);
  const T* const x = x_all + task * p.x_task;
  find_middle(p.taps, x, p.images, middle);

  const unsigned pairs = p.pairs(), lanes = kThreads / pairs, lane = thread / pairs;  // threads beyond lanes * pairs only fetch
  const BlockPair mine(thread % pairs, p.blocks);
  double sums[kSide][kSide] = {};
  for (unsigned first = begin; first < end; first += kTogether) {
    __syncthreads();
    const unsigned i = thread % kTogether, pixel = first + i;
    const bool exists = pixel < end;
    const unsigned image = exists ? pixel / p.image_pixels : 0, rest = exists ? pixel - image * p.image_pixels : 0;
    const Patch<T> patch(p.taps, x + image * p.taps.image(), rest / p.row, rest % p.row);
    for (unsigned line = thread / kTogether; line < p.lines(); line += kThreads / kTogether) {
      double value = 0;
      if (exists && line == taps) value = 1;
      if (exists && line < taps)
        value = static_cast<double>(patch.template at<false>(p.taps, static_cast<int>(line))) -
                middle[line % static_cast<unsigned>(p.taps.channels)];
      lines[line * kPitch + i] = value;
    }
    __syncthreads();
    if (lane < lanes) {
      const double* const left = lines + mine.left * kSide * kPitch;
      const double* const right = lines + mine.right * kSide * kPitch;
      for (unsigned at = lane; at < kTogether; at += lanes) {
        double l[kSide], r[kSide];
#pragma unroll
        for (int e = 0; e < kSide; ++e) l[e] = left[e * kPitch + at], r[e] = right[e * kPitch + at];
#pragma unroll
        for (int a = 0; a < kSide; ++a)
#pragma unroll
          for (int b = 0; b < kSide; ++b) sums[a][b] += l[a] * r[b];
      }
    }
  }
  __syncthreads();
  // [lane, pair, kSide * kSide]
  if (lane < lanes) {
#pragma unroll
    for (int a = 0; a < kSide; ++a)
#pragma unroll
      for (int b = 0; b < kSide; ++b) lines[thread * kSide * kSide + a * kSide + b] = sums[a][b];
  }
  __syncthreads();
  const unsigned count = p.sums();
  double* const of_task = p.partials + static_cast<std::int64_t>(task) * p.parts * count;
  for (unsigned i = thread; i < count; i += kThreads) {
    double sum = 0;
    for (unsigned l = 0; l < lanes; ++l) sum += lines[l * count + i];
    of_task[part * count + i] = sum;
  }
  if (!is_last_block(p.tickets + task, p.parts)) return;

  double* const total = lines;  // [taps + 1, taps + 1], the upper triangle
  const unsigned wide = taps + 1;
  for (unsigned i = thread; i < count; i += kThreads) {
    double sum = 0;
    for (unsigned q = 0; q < p.parts; ++q) sum += of_task[q * count + i];
    const BlockPair pair(i / (kSide * kSide), p.blocks);
    const unsigned row = pair.left * kSide + i / kSide % kSide, column = pair.right * kSide + i % kSide;
    if (row <= column && column < wide) total[row * wide + column] = sum;
  }
  __syncthreads();
  const double per_pixel = p.pixels == 0 ? 0 : 1.0 / p.pixels;
  double* const out = p.moments + static_cast<std::int64_t>(task) * wide * taps;
  for (unsigned i = thread; i < wide * taps; i += kThreads) {
    const unsigned line = i / taps, column = i - line * taps;
    if (line == 0) {
      const double from = p.pixels == 0 ? 0 : middle[column % static_cast<unsigned>(p.taps.channels)];
      out[i] = total[column * wide + taps] * per_pixel + from;
    } else {
      const unsigned a = min(line - 1, column), b = max(line - 1, column);
      out[i] = (total[a * wide + b] - total[a * wide + taps] * total[b * wide + taps] * per_pixel) * per_pixel;
    }
  }
}

/// One set of images, or two.
struct SetsOfImages {
  MomentsParams of[2];
};

template <class T>
__global__ void __launch_bounds__(kThreads) patch_moments_kernel(const __grid_constant__ SetsOfImages sets) {
  grid_dependency_sync();
  const bool second = blockIdx.x >= sets.of[0].all;
  const MomentsParams& p = sets.of[second ? 1 : 0];
  moments_block(p, static_cast<const T*>(p.x), second ? blockIdx.x - sets.of[0].all : blockIdx.x);
}

/// A set of images, but for its scratch memory and its tickets.
MomentsParams params_of(const PatchMoments& k) {
  const ConvSizes z = conv_sizes(k.kName, k.geometry, k.x, {nullptr, k.x.dtype, k.w}, {nullptr, k.x.dtype, k.y});
  check_moments(k.kName, k.geometry, k.moments, k.x.shape, k.w);
  const std::int64_t tasks = k.x.shape[0], pixels = z.images * z.p * z.q;
  IL_CHECK(pixels < std::int64_t{1} << 31 && 2 * tasks <= CudaDevice::kTickets,
           "{}: {} tasks of {} pixels are too many for one launch; lower outer.tasks", k.kName, tasks, pixels);
  const auto narrow = [](std::int64_t n) { return static_cast<unsigned>(n); };
  const unsigned parts = parts_of(narrow(pixels), 1, kPartPixels, kMostParts);
  return {.taps = PatchTaps(k.kName, k.geometry, z),
          .pixels = narrow(pixels),
          .image_pixels = narrow(z.p * z.q),
          .row = narrow(z.q),
          .parts = parts,
          .blocks = (narrow(z.r * z.s * z.c) + kSide) / kSide,
          .partials = nullptr,
          .moments = k.moments.as<double>(),
          .tickets = nullptr,
          .x = k.x.data,
          .x_task = task_stride(k.x),
          .images = narrow(z.images),
          .all = parts * narrow(tasks)};
}

void launch_sets(DType dtype, SetsOfImages sets, int count, Context& context) {
  std::shared_ptr<void> scratch[2];
  std::size_t shared = 0;
  unsigned blocks = 0, tickets = 0;
  for (int i = 0; i < count; ++i) {
    MomentsParams& p = sets.of[i];
    scratch[i] = context.arena().allocate(std::size_t{p.all} * p.sums() * sizeof(double));
    p.partials = static_cast<double*>(scratch[i].get());
    p.tickets = tickets_of(context) + tickets;
    tickets += p.all / p.parts, blocks += p.all;
    shared = std::max<std::size_t>(shared, std::max(p.lines() * kPitch, kThreads / p.pairs() * p.sums()) * sizeof(double));
  }
  if (blocks == 0) return;
  with_float(dtype, PatchMoments::kName, [&]<class T>(T) {
    launch(patch_moments_kernel<T>, dim3(blocks), dim3(kThreads), shared, stream_of(context), sets);
  });
}

void run_here(const PatchMoments& k, Context& context) { launch_sets(k.x.dtype, {{params_of(k), {}}}, 1, context); }

void run_here(const PatchMomentsPair& k, Context& context) {
  if (k.first.x.dtype != k.second.x.dtype) return compose(k, context);
  launch_sets(k.first.x.dtype, {{params_of(k.first), params_of(k.second)}}, 2, context);
}

IL_REGISTER_KERNEL(PatchMoments);
IL_REGISTER_KERNEL(PatchMomentsPair);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
