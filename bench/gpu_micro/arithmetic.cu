// Rates of arithmetic: float32 multiply-adds, and TF32 products of tensor cores by mma.sync and by wgmma.
#include <cmath>

#include "bench/gpu_micro/measure.h"
#include "kernels/cuda/launch.cuh"

namespace innerloop::bench {
namespace {

using kernels::cuda::launch;

constexpr int kChains = 8;        // independent sums a thread: more than the latency of an FMA takes
constexpr int kUnrolled = 16;     // FMAs of each chain in a round
constexpr float kFactor = 0.999f, kAddend = 0.25f;

__global__ void __launch_bounds__(256) multiply_add(float* out, int rounds) {
  float value[kChains];
#pragma unroll
  for (int c = 0; c < kChains; ++c) value[c] = static_cast<float>(threadIdx.x + c);
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int u = 0; u < kUnrolled; ++u) {
#pragma unroll
      for (int c = 0; c < kChains; ++c) value[c] = __fmaf_rn(value[c], kFactor, kAddend);
    }
  }
  float sum = 0;
#pragma unroll
  for (int c = 0; c < kChains; ++c) sum += value[c];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// Operands of one mma.sync.m16n8k8, as functions of row and column, so that a result can be foretold. All are TF32 numbers.
__host__ __device__ constexpr float a_at(int row, int k) { return 0.5f + static_cast<float>((row * 7 + k * 3) % 11) / 16; }
__host__ __device__ constexpr float b_at(int k, int column) { return static_cast<float>((k * 5 + column) % 13 - 6) / 8; }

constexpr int kAccumulators = 8;  // independent products a warp

__global__ void __launch_bounds__(256) multiply_tiles(float* out, int rounds) {
  const int lane = static_cast<int>(threadIdx.x) % 32, group = lane / 4, in_group = lane % 4;
  const unsigned a[4] = {__float_as_uint(a_at(group, in_group)), __float_as_uint(a_at(group + 8, in_group)),
                         __float_as_uint(a_at(group, in_group + 4)), __float_as_uint(a_at(group + 8, in_group + 4))};
  const unsigned b[2] = {__float_as_uint(b_at(in_group, group)), __float_as_uint(b_at(in_group + 4, group))};
  float sum[kAccumulators][4] = {};
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int i = 0; i < kAccumulators; ++i) {
      asm volatile(
          "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
          : "+f"(sum[i][0]), "+f"(sum[i][1]), "+f"(sum[i][2]), "+f"(sum[i][3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
  }
  float total = 0;
#pragma unroll
  for (int i = 0; i < kAccumulators; ++i) total += sum[i][0];
  out[blockIdx.x * blockDim.x + threadIdx.x] = total;
}

constexpr int kWide = 128;                       // columns of a wgmma's tile, of 64 rows and a depth of 8
constexpr int kWideSums = 64 * kWide / 128;      // accumulators a thread of the four warps
constexpr int kWidePerRound = 8;
constexpr float kWideA = 0.5f, kWideB = 0.25f;   // everywhere, so that no layout matters; both are TF32 numbers

#define IL_SUMS_8(i) \
  "+f"(sum[i]), "+f"(sum[i + 1]), "+f"(sum[i + 2]), "+f"(sum[i + 3]), "+f"(sum[i + 4]), "+f"(sum[i + 5]), "+f"(sum[i + 6]), "+f"(sum[i + 7])

/// Products of a register tile with one in shared memory, as the asynchronous warp-group instruction makes them.
__global__ void __launch_bounds__(128) multiply_wide_tiles(float* out, int rounds) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  __shared__ __align__(128) float b[2 * 8 * kWide];
  for (int i = static_cast<int>(threadIdx.x); i < 2 * 8 * kWide; i += 128) b[i] = kWideB;
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  // Start address, 128 bytes to the next core matrix along the depth and 256 along the columns, all in units of 16; no swizzle.
  const auto start = static_cast<unsigned long long>(__cvta_generic_to_shared(b)) >> 4 & 0x3fff;
  const unsigned long long matrix_b = start | 8ull << 16 | 16ull << 32;
  const unsigned a = __float_as_uint(kWideA);
  float sum[kWideSums] = {};
  for (int r = 0; r < rounds; ++r) {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int i = 0; i < kWidePerRound; ++i) {
      asm volatile(
          "wgmma.mma_async.sync.aligned.m64n128k8.f32.tf32.tf32 {"
          "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"
          "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,"
          "%63}, {%64,%64,%64,%64}, %65, 1, 1, 1;"
          : IL_SUMS_8(0), IL_SUMS_8(8), IL_SUMS_8(16), IL_SUMS_8(24), IL_SUMS_8(32), IL_SUMS_8(40), IL_SUMS_8(48), IL_SUMS_8(56)
          : "r"(a), "l"(matrix_b));
    }
    asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");
  }
  float total = 0;
#pragma unroll
  for (int i = 0; i < kWideSums; ++i) total += sum[i];
  out[blockIdx.x * blockDim.x + threadIdx.x] = total;
#endif
}
#undef IL_SUMS_8

}  // namespace

Figures measure_ffma(Timer& timer, const Effort& effort, const Card& card) {
  const int blocks = card.multiprocessors * 8, threads = 256;
  Buffer<float> out(static_cast<std::size_t>(blocks) * threads);
  const double ms = timer.milliseconds(effort.repeats, [&] {
    launch(multiply_add, dim3(blocks), dim3(threads), 0, timer.stream(), out.data(), effort.rounds);
  });
  float expected = 0;
  for (int c = 0; c < kChains; ++c) {
    float value = static_cast<float>(c);
    for (int i = 0; i < effort.rounds * kUnrolled; ++i) value = std::fma(value, kFactor, kAddend);
    expected += value;
  }
  IL_CHECK(out.first(1)[0] == expected, "gpu_micro: multiply-adds gave {} and should give {}", out.first(1)[0], expected);
  return {{"ffma_tflop_s", 2.0 * kChains * kUnrolled * effort.rounds * blocks * threads / (ms * 1e-3) * 1e-12}};
}

Figures measure_mma(Timer& timer, const Effort& effort, const Card& card) {
  const int blocks = card.multiprocessors * 8, threads = 256;
  Buffer<float> out(static_cast<std::size_t>(blocks) * threads);
  const double ms = timer.milliseconds(effort.repeats, [&] {
    launch(multiply_tiles, dim3(blocks), dim3(threads), 0, timer.stream(), out.data(), effort.rounds);
  });
  // Thread 0 holds row 0, column 0 of each product.
  double expected = 0;
  for (int k = 0; k < 8; ++k) expected += static_cast<double>(a_at(0, k)) * static_cast<double>(b_at(k, 0));
  expected *= static_cast<double>(effort.rounds) * kAccumulators;
  const double got = out.first(1)[0];
  IL_CHECK(std::abs(got - expected) <= 1e-3 * std::abs(expected), "gpu_micro: mma.sync gave {} and should give {}", got,
           expected);
  const double products = static_cast<double>(effort.rounds) * kAccumulators * blocks * (threads / 32);
  return {{"mma_tf32_tflop_s", 2.0 * 16 * 8 * 8 * products / (ms * 1e-3) * 1e-12}};
}

Figures measure_wgmma(Timer& timer, const Effort& effort, const Card& card) {
  if (card.architecture != 90) return {};  // the instruction is that architecture's alone
  const int blocks = card.multiprocessors * 4, threads = 128;
  Buffer<float> out(static_cast<std::size_t>(blocks) * threads);
  const double ms = timer.milliseconds(effort.repeats, [&] {
    launch(multiply_wide_tiles, dim3(blocks), dim3(threads), 0, timer.stream(), out.data(), effort.rounds);
  });
  const double products = static_cast<double>(effort.rounds) * kWidePerRound;
  const double expected = products * 8 * static_cast<double>(kWideA * kWideB) * kWideSums, got = out.first(1)[0];
  IL_CHECK(got == expected, "gpu_micro: wgmma gave {} and should give {}", got, expected);
  return {{"wgmma_tf32_tflop_s", 2.0 * 64 * kWide * 8 * products * blocks / (ms * 1e-3) * 1e-12}};
}

}  // namespace innerloop::bench
