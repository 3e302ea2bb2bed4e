// More than 500 lines, since each bug is a kernel of a few lines and a line of the one table at the end, and both are read together.
#include "tests/host_executor/seeded_bugs.h"

#include <cmath>
#include <numeric>
#include <stdexcept>

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/stages.cuh"
#include "tests/host_executor/block_sum.cuh"
#include "tests/host_executor/device_array.h"

namespace innerloop::tests {
namespace {

using host_executor::Fault;
using kernels::cuda::async_copy;
using kernels::cuda::async_copy_commit;
using kernels::cuda::async_copy_wait;
using kernels::cuda::grid_dependency_sync;
using kernels::cuda::launch;
using Plain = SeededBug::Plain;

constexpr int kThreads = 256;

// ------------------------------------------------------------------------------------------------------------- out of bounds
__global__ void overrun_static(float* out, const float* in) {
  IL_SHARED(float, s, [kThreads]);
  s[threadIdx.x + 1] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = threadIdx.x != 0 ? s[threadIdx.x] : 0.0f;
}
__global__ void overrun_dynamic(float* out, const float* in) {  // launched with too little memory
  IL_DYNAMIC_SHARED(float, s);
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}
__global__ void read_past_end(float* out, const float* in, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i <= n) out[i] = in[i];
}
__global__ void write_past_end(float* out) { out[threadIdx.x] = 1.0f; }

// -------------------------------------------------------------------------------------------- launches that begin before others end
__global__ void leaves_before_the_grid_ahead(float* out, const float* in) {
  if (threadIdx.x >= 200) return;
  grid_dependency_sync();
  out[threadIdx.x] = in[threadIdx.x];
}
__global__ void reads_ahead_of_the_grid_ahead(float* out, const float* in) {
  const float value = in[threadIdx.x];
  grid_dependency_sync();
  out[threadIdx.x] = value;
}
__global__ void waits_for_the_grid_ahead(float* out, const float* in) {
  IL_SHARED(float, s, [kThreads]);
  s[threadIdx.x] = 1.0f;  // its own
  grid_dependency_sync();
  out[threadIdx.x] = s[threadIdx.x] * in[threadIdx.x];
}

// ---------------------------------------------------------------------------------------------------- missing synchronisation
__global__ void reads_next(float* out, const float* in) {
  IL_SHARED(float, s, [kThreads]);
  const unsigned t = threadIdx.x;
  s[t] = in[t];
  out[t] = s[(t + 1) % kThreads];
}
__global__ void reads_previous(float* out, const float* in) {
  IL_SHARED(float, s, [kThreads]);
  const unsigned t = threadIdx.x;
  s[t] = in[t];
  out[t] = t != 0 ? s[t - 1] : 0.0f;
}
__global__ void overwrites_tile(float* out, const float* in, int n) {
  IL_SHARED(float, s, [kThreads]);
  const unsigned t = threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < n; k += kThreads) {
    s[t] = in[static_cast<unsigned>(k) + t];
    __syncthreads();
    for (int j = 0; j < kThreads; ++j) sum += s[j];
  }
  out[t] = sum;
}
__global__ void reuses_partial_sums(float* out, const float* in) {
  IL_SHARED(float, part, [8]);
  const unsigned t = threadIdx.x;
  float total = 0.0f;
  for (int k = 0; k < 2; ++k) {
    const float v = warp_sum(in[t] + static_cast<float>(k));
    if (t % 32 == 0) part[t / 32] = v;
    __syncthreads();
    for (int j = 0; j < 8; ++j) total += part[j];
  }
  out[t] = total;
}
__global__ void warp_synchronous(float* out, const float* in) {  // as written before Volta
  IL_SHARED(float, s, [64]);
  const unsigned t = threadIdx.x;
  s[t] = in[t];
  s[t + 32] = 0.0f;
  volatile float* v = s;
  v[t] = v[t] + v[t + 16];
  v[t] = v[t] + v[t + 8];
  v[t] = v[t] + v[t + 4];
  v[t] = v[t] + v[t + 2];
  v[t] = v[t] + v[t + 1];
  if (t == 0) out[0] = s[0];
}
__global__ void trusts_a_shuffle(float* out, const float* in) {  // shuffles do not order memory
  IL_SHARED(float, s, [32]);
  const unsigned t = threadIdx.x;
  s[t] = in[t];
  const float other = __shfl_xor_sync(kAllLanes, in[t], 1);
  out[t] = s[t ^ 1u] - other;
}
__global__ void adds_without_atomic(float* out, const float* in) { out[0] += in[threadIdx.x]; }
__global__ void adds_blocks_without_atomic(float* out, const float* in) {
  const float v = block_sum(in[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x == 0) out[0] += v;
}
__global__ void reads_previous_block(float* out, const float* in) {
  const unsigned i = blockIdx.x;
  if (threadIdx.x == 0) out[i] = in[i] + (i != 0 ? out[i - 1] : 0.0f);
}
enum class Fences { kNone, kReleasing, kBoth };
template <Fences kFences>
__global__ void last_block_sum(float* out, float* part, unsigned* count, const float* in) {
  IL_SHARED(unsigned, last);
  const float v = block_sum(in[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x == 0) {
    part[blockIdx.x] = v;
    if (kFences != Fences::kNone) __threadfence();
    last = atomicAdd(count, 1u) == gridDim.x - 1 ? 1u : 0u;
  }
  __syncthreads();
  if (last == 0) return;  // all of the block, or nobody
  if (kFences == Fences::kBoth) __threadfence();
  float s = 0.0f;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x) s += part[i];
  s = block_sum(s);
  if (threadIdx.x == 0) out[0] = s;
}

// --------------------------------------------------------------------------------------------------------------- cp.async, shared
/// The copy may write at once what others are yet to read.
__global__ void copies_into_a_tile_in_use(float* out, const float* in) {
  grid_dependency_sync();
  IL_SHARED(float, s, [kThreads]);
  const unsigned t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  out[t] = s[(t + 32) % kThreads];
  async_copy<4>(&s[t], in + kThreads + t);
  async_copy_commit();
  __syncthreads();
  async_copy_wait<0>();
}
/// A barrier is no wait.
__global__ void reads_a_copy_under_way(float* out, const float* in) {
  grid_dependency_sync();
  IL_SHARED(float, s, [kThreads]);
  const unsigned t = threadIdx.x;
  s[t] = 0.0f;
  __syncthreads();
  async_copy<4>(&s[t], in + t);
  async_copy_commit();
  __syncthreads();
  out[t] = s[(t + 32) % kThreads];
  async_copy_wait<0>();
}
/// A launch gets 48 KiB without asking, for both kinds.
__global__ void static_beside_dynamic(float* out, const float* in) {
  grid_dependency_sync();
  IL_SHARED(float, s, [20 * 256]);
  IL_DYNAMIC_SHARED(float, more);
  s[threadIdx.x] = in[threadIdx.x];
  more[threadIdx.x] = s[threadIdx.x];
  out[threadIdx.x] = more[threadIdx.x];
}

// ----------------------------------------------------------------------------------------------------------------- divergence
__global__ void two_barriers(float* out, const float* in) {
  IL_SHARED(float, s, [kThreads]);
  const unsigned t = threadIdx.x;
  s[t] = in[t];
  if (t < 64) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[t] = s[255 - t];
}
__global__ void barrier_in_branch(float* out, const float* in) {
  const unsigned t = threadIdx.x;
  if (t < 128) __syncthreads();
  out[t] = in[t];
}
__global__ void unequal_trips(float* out, const float* in) {
  const unsigned t = threadIdx.x;
  const int trips = t < 32 ? 2 : 1;
  for (int i = 0; i < trips; ++i) __syncthreads();
  out[t] = in[t];
}
__global__ void leaves_before_barrier(float* out, const float* in, unsigned n) {
  const unsigned t = threadIdx.x;
  if (t >= n) return;
  __syncthreads();
  out[t] = in[t];
}
__global__ void shuffle_in_branch(float* out, const float* in) {
  float v = in[threadIdx.x];
  if (threadIdx.x % 32 < 16) v += __shfl_down_sync(kAllLanes, v, 8);
  out[threadIdx.x] = v;
}
__global__ void shuffle_from_absent_lane(float* out, const float* in) {
  float v = in[threadIdx.x];
  if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0x0000ffffu, v, 16);
  out[threadIdx.x] = v;
}
__global__ void sums_a_warp(float* out, const float* in) { out[threadIdx.x] = warp_sum(in[threadIdx.x]); }
__global__ void calls_outside_mask(float* out, const float* in) {
  out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, in[threadIdx.x], 1);
}
__global__ void mixed_masks(float* out, const float* in) {
  out[threadIdx.x] = __shfl_xor_sync(threadIdx.x % 32 < 8 ? 0x000000ffu : kAllLanes, in[threadIdx.x], 1);
}
__global__ void lane_leaves_before_shuffle(float* out, const float* in) {
  if (threadIdx.x % 32 == 31) return;
  out[threadIdx.x] = warp_sum(in[threadIdx.x]);
}

// --------------------------------------------------------------------------------------- uninitialised, addresses, arithmetic
__global__ void reads_unwritten_shared(float* out, const float* in) {
  IL_SHARED(float, part, [32]);
  const unsigned t = threadIdx.x;
  const float v = warp_sum(in[t]);
  if (t % 32 == 0) part[t / 32] = v;
  __syncthreads();
  if (t < 32) {
    const float sum = warp_sum(part[t]);  // only 8 are written
    if (t == 0) out[0] = sum;
  }
}
__global__ void adds(float* out, const float* in, const float* more) {
  out[threadIdx.x] = in[threadIdx.x] + more[threadIdx.x];
}
__global__ void copies(float* out, const float* in) { out[threadIdx.x] = in[threadIdx.x]; }
__global__ void casts_misaligned(float* out, const float* in) {
  reinterpret_cast<float4*>(out)[threadIdx.x] = reinterpret_cast<const float4*>(in + 1)[threadIdx.x];
}
__global__ void loads_misaligned(float* out, const float* in) {
  kernels::cuda::st4(out + 4 * threadIdx.x, kernels::cuda::ld4(in + 1 + 4 * threadIdx.x));
}
__global__ void overflows_index(float* out, const float* in, int big) {
  const int i = (big * static_cast<int>(threadIdx.x + 1)) & 255;
  out[threadIdx.x] = in[i];
}

// -------------------------------------------------------------------------------------------------------------- traps and hangs
__global__ void traps(float* out) {
  if (threadIdx.x == 77) __trap();
  out[threadIdx.x] = 1.0f;
}
__global__ void waits_for_thread(volatile int* flag) {
  if (threadIdx.x == 0) {
    while (flag[0] == 0) {
    }
  } else if (threadIdx.x == 32) {
    flag[0] = 1;
  }
}
__global__ void never_ends(volatile int* flag) {
  while (flag[0] == 0) {
  }
}
__global__ void throws(float* out) {
  __syncthreads();
#if !defined(__CUDACC__)
  if (threadIdx.x == 77) throw std::runtime_error("thrown in thread 77");
#endif
  __syncthreads();
  out[threadIdx.x] = 1.0f;
}

// ------------------------------------------------------------------------------------------------- correct, and not to be reported
__global__ void exchanges_in_warp(float* out, const float* in) {
  IL_SHARED(float, s, [kThreads]);
  const unsigned t = threadIdx.x;
  s[t] = in[t];
  __syncwarp();
  out[t] = s[t ^ 1u];
  __syncwarp();
  s[t ^ 1u] = 0.0f;
}
__global__ void half_warps(float* out, const float* in) {
  const unsigned t = threadIdx.x;
  float v = in[t];
  if (t % 32 < 16) {
    v += __shfl_xor_sync(0x0000ffffu, v, 1);
  } else {
    v -= __shfl_xor_sync(0xffff0000u, v, 1);
  }
  __syncwarp();
  out[t] = __shfl_xor_sync(kAllLanes, v, 16);
}
__global__ void counts(unsigned* bins, const float* in) {
  atomicAdd(&bins[static_cast<unsigned>(static_cast<int>(in[threadIdx.x]) + 20) % 4], 1u);
}

// --------------------------------------------------------------------------------------------------------------------- running them
struct Case {
  std::vector<float> host = sample_values(1024);
  DeviceArray<float> in{host}, out{1024, 0.0f};

  template <class Expected>
  bool gives(std::size_t n, Expected expected) const {
    const std::vector<float> values = out.get();
    for (std::size_t i = 0; i < n; ++i) {
      if (!(values[i] == expected(i))) return false;
    }
    return true;
  }
  float sum(std::size_t n) const { return std::accumulate(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(n), 0.0f); }
};

template <class Kernel, class... Arguments>
bool run_and_wait(Kernel kernel, unsigned blocks, unsigned threads, std::size_t shared, Arguments... arguments) {
  launch(kernel, dim3(blocks), dim3(threads), shared, nullptr, arguments...);
  require(cudaDeviceSynchronize());
  return true;
}

/// Launches overlap while it lives.
class Overlapping {
 public:
  Overlapping() { kernels::cuda::launches_overlap = true; }
  ~Overlapping() { kernels::cuda::launches_overlap = false; }
  Overlapping(const Overlapping&) = delete;
  Overlapping& operator=(const Overlapping&) = delete;
};

/// Kernels (out, in) of one block, whose result nobody needs: the error is the point.
template <void (*kKernel)(float*, const float*), unsigned kBlock = kThreads, unsigned kGrid = 1>
bool run_simple() {
  const Case c;
  return run_and_wait(kKernel, kGrid, kBlock, 0, c.out.data(), c.in.data());
}

/// The same, launched to begin before the kernels ahead of it have ended; they copy.
template <void (*kKernel)(float*, const float*)>
bool run_overlapping() {
  const Overlapping scope;
  const Case c;
  run_and_wait(kKernel, 1, kThreads, 0, c.out.data(), c.in.data());
  return c.gives(kThreads, [&](std::size_t i) { return c.host[i]; });
}

/// Two blocks double their task's numbers, two others add one to them, a stage later.
enum class Mistake { kNone, kNoWait, kNoFence };
template <Mistake kMistake>
__global__ void staged(float* out, float* doubled, const float* in, kernels::cuda::Stages stages) {
  grid_dependency_sync();
  IL_SHARED(unsigned, place, [1]);
  stages.take_place(place);
  const unsigned task = place[0] % 2, i = task * blockDim.x + threadIdx.x;
  if (place[0] < stages.first) {
    doubled[i] = 2 * in[i];
    if (kMistake != Mistake::kNoFence) return stages.announce(task);
    __syncthreads();
    if (threadIdx.x == 0) atomicAdd(stages.counters + 1 + 2 * task, 1u);
  } else {
    if (kMistake != Mistake::kNoWait) stages.await(task);
    out[i] = doubled[i] + 1;
  }
}
template <Mistake kMistake>
bool run_staged() {
  const Case c;
  const DeviceArray<float> doubled(2 * kThreads);
  const DeviceArray<unsigned> counters(5, 0u);
  for (int again = 0; again < 2; ++again) {  // the counters are left as they were found
    run_and_wait(staged<kMistake>, 4, kThreads, 0, c.out.data(), doubled.data(), c.in.data(), kernels::cuda::Stages{counters.data(), 1, 1, 1, 2, 2});
    if (!c.gives(2 * kThreads, [&](std::size_t i) { return 2 * c.host[i] + 1; })) return false;
  }
  return true;
}
__global__ void waits_for_its_neighbour(float* out, unsigned* done) {
  grid_dependency_sync();
  if (threadIdx.x == 0) {
    while (atomicAdd(done + (blockIdx.x + 1) % gridDim.x, 0u) == 0) __nanosleep(20);
    atomicAdd(done + blockIdx.x, 1u);
    out[blockIdx.x] = 1;
  }
}

template <Fences kFences>
bool run_last_block() {
  const Case c;
  const DeviceArray<float> part(4);
  const DeviceArray<unsigned> count(1, 0u);
  run_and_wait(last_block_sum<kFences>, 4, kThreads, 0, c.out.data(), part.data(), count.data(), c.in.data());
  return c.out.get()[0] == c.sum(1024);
}

}  // namespace

const std::vector<SeededBug>& seeded_bugs() {
  static const std::vector<SeededBug> bugs = {
      {"overrun_static", run_simple<overrun_static>, Plain::kError, Fault::kOutOfBounds,
       "use-after-poison|out of bounds"},
      {"overrun_dynamic",
       [] {
         const Case c;
         return run_and_wait(overrun_dynamic, 1, kThreads, 255 * sizeof(float), c.out.data(), c.in.data());
       },
       Plain::kError, Fault::kOutOfBounds, "use-after-poison"},
      {"dynamic_size_forgotten", run_simple<overrun_dynamic>, Plain::kError, Fault::kOutOfBounds, "use-after-poison"},
      {"read_past_end",
       [] {
         const Case c;
         const DeviceArray<float> short_in(c.host.size() / 4, 1.0f);
         run_and_wait(read_past_end, 1, 288, 0, c.out.data(), short_in.data(), kThreads);
         return !std::isnan(c.out.get()[256]);
       },
       Plain::kWrongResult, Fault::kOutOfBounds, "use-after-poison"},
      {"write_past_end",
       [] {
         const DeviceArray<float> short_out(kThreads - 1);
         return run_and_wait(write_past_end, 1, kThreads, 0, short_out.data());
       },
       Plain::kError, Fault::kOutOfBounds, "use-after-poison"},
      {"use_after_free",
       [] {
         const Case c;
         float* freed = nullptr;
         {
           const DeviceArray<float> gone(kThreads, 1.0f);
           freed = gone.data();
         }
         run_and_wait(copies, 1, kThreads, 0, c.out.data(), freed);
         return c.gives(kThreads, [](std::size_t) { return 1.0f; });
       },
       Plain::kWrongResult, Fault::kUseAfterFree, "use-after-poison"},

      {"reads_next",
       [] {
         const Case c;
         run_and_wait(reads_next, 1, kThreads, 0, c.out.data(), c.in.data());
         return c.gives(kThreads, [&](std::size_t i) { return c.host[(i + 1) % kThreads]; });
       },
       Plain::kWrongResult, std::nullopt},  // uninitialised or a race, as the order has it
      {"reads_previous",
       [] {
         const Case c;
         run_and_wait(reads_previous, 1, kThreads, 0, c.out.data(), c.in.data());
         return c.gives(kThreads, [&](std::size_t i) { return i != 0 ? c.host[i - 1] : 0.0f; });
       },
       Plain::kWrongResult, std::nullopt},
      {"overwrites_tile",
       [] {
         const Case c;
         run_and_wait(overwrites_tile, 1, kThreads, 0, c.out.data(), c.in.data(), 1024);
         return c.gives(kThreads, [&](std::size_t) { return c.sum(1024); });
       },
       Plain::kWrongResult, Fault::kDataRace},
      {"reuses_partial_sums",
       [] {
         const Case c;
         run_and_wait(reuses_partial_sums, 1, kThreads, 0, c.out.data(), c.in.data());
         return c.gives(kThreads, [&](std::size_t) { return 2 * c.sum(kThreads) + kThreads; });
       },
       Plain::kWrongResult, Fault::kDataRace},
      {"warp_synchronous",
       [] {
         const Case c;
         run_and_wait(warp_synchronous, 1, 32, 0, c.out.data(), c.in.data());
         return c.out.get()[0] == c.sum(32);
       },
       Plain::kWrongResult, std::nullopt},
      {"trusts_a_shuffle", run_simple<trusts_a_shuffle, 32>, Plain::kNothing, Fault::kDataRace},
      {"adds_without_atomic", run_simple<adds_without_atomic>, Plain::kNothing, Fault::kDataRace},
      {"adds_blocks_without_atomic", run_simple<adds_blocks_without_atomic, kThreads, 4>, Plain::kNothing,
       Fault::kDataRace},
      {"reads_previous_block",
       [] {
         const Case c;
         run_and_wait(reads_previous_block, 8, kThreads, 0, c.out.data(), c.in.data());
         return c.gives(8, [&](std::size_t i) { return c.sum(i + 1); });
       },
       Plain::kWrongResult, Fault::kDataRace},
      {"last_block_without_fences", run_last_block<Fences::kNone>, Plain::kNothing, Fault::kDataRace},
      {"last_block_that_does_not_acquire", run_last_block<Fences::kReleasing>, Plain::kNothing, Fault::kDataRace},
      {"stage_that_does_not_wait", run_staged<Mistake::kNoWait>, Plain::kNothing, Fault::kDataRace},
      {"stage_announced_without_fence", run_staged<Mistake::kNoFence>, Plain::kNothing, Fault::kDataRace},
      {"waits_for_its_neighbour",
       [] {
         const Case c;
         const DeviceArray<unsigned> done(4, 0u);
         return run_and_wait(waits_for_its_neighbour, 4, kThreads, 0, c.out.data(), done.data());
       },
       Plain::kError, Fault::kNoProgress},

      {"two_barriers", run_simple<two_barriers>, Plain::kError, Fault::kBarrierDivergence},
      {"barrier_in_branch", run_simple<barrier_in_branch>, Plain::kError, Fault::kBarrierDivergence},
      {"unequal_trips", run_simple<unequal_trips>, Plain::kError, Fault::kBarrierDivergence},
      {"leaves_before_barrier",
       [] {
         const Case c;
         return run_and_wait(leaves_before_barrier, 1, kThreads, 0, c.out.data(), c.in.data(), 200u);
       },
       Plain::kError, Fault::kBarrierDivergence},
      {"shuffle_in_branch", run_simple<shuffle_in_branch>, Plain::kError, Fault::kWarpDivergence},
      {"shuffle_from_absent_lane", run_simple<shuffle_from_absent_lane>, Plain::kError, Fault::kWarpDivergence},
      {"full_mask_in_48_threads", run_simple<sums_a_warp, 48>, Plain::kError, Fault::kWarpDivergence},
      {"calls_outside_mask", run_simple<calls_outside_mask>, Plain::kError, Fault::kWarpDivergence},
      {"mixed_masks", run_simple<mixed_masks>, Plain::kError, Fault::kWarpDivergence},
      {"lane_leaves_before_shuffle", run_simple<lane_leaves_before_shuffle>, Plain::kError, Fault::kWarpDivergence},

      {"reads_unwritten_shared",
       [] {
         const Case c;
         run_and_wait(reads_unwritten_shared, 1, kThreads, 0, c.out.data(), c.in.data());
         return c.out.get()[0] == c.sum(kThreads);
       },
       Plain::kWrongResult, Fault::kUninitialised},
      {"reads_unwritten_global",
       [] {
         const Case c;
         const DeviceArray<float> fresh(kThreads);
         run_and_wait(adds, 1, kThreads, 0, c.out.data(), c.in.data(), fresh.data());
         return !std::isnan(c.out.get()[0]);
       },
       Plain::kWrongResult, Fault::kUninitialised},
      {"host_pointer",
       [] {
         const Case c;
         const std::vector<float> on_host(kThreads, 1.0f);
         return run_and_wait(copies, 1, kThreads, 0, c.out.data(), on_host.data());
       },
       Plain::kNothing, Fault::kIllegalAddress},
      {"casts_misaligned", run_simple<casts_misaligned, 64>, Plain::kNothing, Fault::kMisaligned, "misaligned address"},
      {"loads_misaligned", run_simple<loads_misaligned, 64>, Plain::kError, Fault::kMisaligned},
      {"overflows_index",
       [] {
         const Case c;
         return run_and_wait(overflows_index, 1, kThreads, 0, c.out.data(), c.in.data(), 1 << 30);
       },
       Plain::kNothing, std::nullopt, "signed integer overflow"},

      {"never_waits_for_the_grid_ahead", run_overlapping<copies>, Plain::kError, Fault::kGridDependency},
      {"some_threads_do_not_wait_for_the_grid_ahead", run_overlapping<leaves_before_the_grid_ahead>, Plain::kError,
       Fault::kGridDependency},
      {"reads_ahead_of_the_grid_ahead", run_overlapping<reads_ahead_of_the_grid_ahead>, Plain::kNothing, Fault::kGridDependency},

      {"traps",
       [] {
         const Case c;
         return run_and_wait(traps, 1, kThreads, 0, c.out.data());
       },
       Plain::kError, Fault::kTrap},
      {"block_too_big", run_simple<copies, 1056>, Plain::kError, Fault::kLaunch},
      {"copies_into_a_tile_in_use", run_simple<copies_into_a_tile_in_use>, Plain::kNothing, Fault::kDataRace},
      {"reads_a_copy_under_way",
       [] {
         const Case c;
         run_and_wait(reads_a_copy_under_way, 1, kThreads, 0, c.out.data(), c.in.data());
         return c.gives(kThreads, [&](std::size_t i) { return c.host[(i + 32) % kThreads]; });
       },
       Plain::kWrongResult, Fault::kUninitialised},
      {"static_beside_unasked_dynamic",
       [] {
         const Case c;
         return run_and_wait(static_beside_dynamic, 1, kThreads, kernels::cuda::kDynamicSharedUnasked, c.out.data(), c.in.data());
       },
       Plain::kError, Fault::kLaunch},
      {"empty_grid", run_simple<copies, kThreads, 0>, Plain::kError, Fault::kLaunch},
      {"waits_for_thread",
       [] {
         const DeviceArray<int> flag(1, 0);
         return run_and_wait(waits_for_thread, 1, 64, 0, flag.data());
       },
       Plain::kNothing, std::nullopt},  // a race where the other thread runs first, no progress where it does not
      {"never_ends",
       [] {
         const DeviceArray<int> flag(1, 0);
         return run_and_wait(never_ends, 1, 64, 0, flag.data());
       },
       Plain::kNothing, Fault::kNoProgress},
  };
  return bugs;
}

const std::vector<CorrectKernel>& correct_kernels() {
  static const std::vector<CorrectKernel> kernels = {
      {"last_block_with_fences", run_last_block<Fences::kBoth>},
      {"stages", run_staged<Mistake::kNone>},
      {"waits_for_the_grid_ahead", run_overlapping<waits_for_the_grid_ahead>},
      {"exchanges_in_warp",
       [] {
         const Case c;
         run_and_wait(exchanges_in_warp, 1, kThreads, 0, c.out.data(), c.in.data());
         return c.gives(kThreads, [&](std::size_t i) { return c.host[i ^ 1]; });
       }},
      {"half_warps",
       [] {
         const Case c;
         run_and_wait(half_warps, 1, 64, 0, c.out.data(), c.in.data());
         return c.gives(64, [&](std::size_t i) {
           const std::size_t j = i ^ 16;
           return j % 32 < 16 ? c.host[j] + c.host[j ^ 1] : c.host[j] - c.host[j ^ 1];
         });
       }},
      {"atomic_counts",
       [] {
         const Case c;
         const DeviceArray<unsigned> bins(4, 0u);
         run_and_wait(counts, 1, kThreads, 0, bins.data(), c.in.data());
         const auto values = bins.get();
         return std::accumulate(values.begin(), values.end(), 0u) == kThreads;
       }},
  };
  return kernels;
}

void launch_throwing_kernel() {
  const Case c;
  run_and_wait(throws, 1, kThreads, 0, c.out.data());
}

float read_device_memory_on_host() {
  const Case c;
  return c.in.data()[3];
}

}  // namespace innerloop::tests
