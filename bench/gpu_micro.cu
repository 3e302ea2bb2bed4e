// What this GPU does at best, measured: the ceilings that docs/performance.md holds the engine against.
//
//   gpu_micro [--quick]     one JSON object on stdout
//
// Cost of a kernel that waits for the one before it (as a node of a CUDA graph, and launched), bandwidth of a copy (bytes read
// plus bytes written), fused multiply-adds in float32, and mma.sync in TF32 (1 multiply-add = 2 FLOP). Every figure is the
// median of several runs after a warm-up, timed by events, on data that are not zero; what was computed is checked.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/status.h"
#include "tensor/error.h"

namespace innerloop::bench {
namespace {

using kernels::cuda::launch;

struct Effort {
  int repeats = 9;
  int nodes = 2000;
  std::size_t copy_bytes = std::size_t{1} << 30;
  int ffma_rounds = 4096;
  int mma_rounds = 4096;
};

class Timer {
 public:
  Timer() {
    IL_CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    IL_CUDA_CHECK(cudaEventCreate(&start_));
    IL_CUDA_CHECK(cudaEventCreate(&end_));
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    static_cast<void>(cudaEventDestroy(start_));
    static_cast<void>(cudaEventDestroy(end_));
    static_cast<void>(cudaStreamDestroy(stream_));
  }

  cudaStream_t stream() const { return stream_; }

  /// Median of `repeats` runs, after two that nobody timed.
  double milliseconds(int repeats, const std::function<void()>& work) {
    std::vector<double> times;
    for (int i = -2; i < repeats; ++i) {
      IL_CUDA_CHECK(cudaEventRecord(start_, stream_));
      work();
      IL_CUDA_CHECK(cudaGetLastError());
      IL_CUDA_CHECK(cudaEventRecord(end_, stream_));
      IL_CUDA_CHECK(cudaEventSynchronize(end_));
      float one = 0;
      IL_CUDA_CHECK(cudaEventElapsedTime(&one, start_, end_));
      if (i >= 0) times.push_back(one);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr, end_ = nullptr;
};

template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t count) { IL_CUDA_CHECK(cudaMalloc(&data_, count * sizeof(T))); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { static_cast<void>(cudaFree(data_)); }
  T* data() const { return data_; }
  std::vector<T> first(std::size_t count) const {
    std::vector<T> host(count);
    IL_CUDA_CHECK(cudaMemcpy(host.data(), data_, count * sizeof(T), cudaMemcpyDeviceToHost));
    return host;
  }

 private:
  T* data_ = nullptr;
};

__global__ void count_up(int* value) {
  if (threadIdx.x == 0 && blockIdx.x == 0) *value += 1;
}

/// Microseconds of one of many kernels in a row, each of which waits for the one before.
struct NodeCost {
  double graph = 0, launched = 0;
};

NodeCost measure_nodes(Timer& timer, const Effort& effort, int blocks) {
  Buffer<int> counter(1);
  IL_CUDA_CHECK(cudaMemset(counter.data(), 0, sizeof(int)));
  const auto launch_all = [&] {
    for (int i = 0; i < effort.nodes; ++i) launch(count_up, dim3(blocks), dim3(128), 0, timer.stream(), counter.data());
  };
  const double launched = timer.milliseconds(effort.repeats, launch_all);

  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  IL_CUDA_CHECK(cudaStreamBeginCapture(timer.stream(), cudaStreamCaptureModeThreadLocal));
  launch_all();
  IL_CUDA_CHECK(cudaStreamEndCapture(timer.stream(), &graph));
  IL_CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
  const double replayed =
      timer.milliseconds(effort.repeats, [&] { IL_CUDA_CHECK(cudaGraphLaunch(executable, timer.stream())); });
  IL_CUDA_CHECK(cudaGraphExecDestroy(executable));
  IL_CUDA_CHECK(cudaGraphDestroy(graph));

  const int expected = 2 * (effort.repeats + 2) * effort.nodes;
  IL_CHECK(counter.first(1)[0] == expected, "gpu_micro: {} kernels counted to {}", expected, counter.first(1)[0]);
  return {replayed * 1e3 / effort.nodes, launched * 1e3 / effort.nodes};
}

__global__ void fill_with_index(unsigned* out, std::size_t count) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step)
    out[i] = static_cast<unsigned>(i) * 2654435761u;
}

__global__ void copy_vectors(const float4* __restrict__ from, float4* __restrict__ to, std::size_t count) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) to[i] = from[i];
}

/// Bytes a second, read and written.
struct CopyRate {
  double copy_engine = 0, kernel = 0;
};

CopyRate measure_copies(Timer& timer, const Effort& effort, int multiprocessors) {
  const std::size_t bytes = effort.copy_bytes, vectors = bytes / sizeof(float4);
  Buffer<float4> from(vectors), to(vectors);
  const int blocks = multiprocessors * 16;
  launch(fill_with_index, dim3(blocks), dim3(256), 0, timer.stream(), reinterpret_cast<unsigned*>(from.data()),
         bytes / sizeof(unsigned));
  const double memcpy_ms = timer.milliseconds(effort.repeats, [&] {
    IL_CUDA_CHECK(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, timer.stream()));
  });
  IL_CUDA_CHECK(cudaMemsetAsync(to.data(), 0, bytes, timer.stream()));
  const double kernel_ms = timer.milliseconds(
      effort.repeats,
      [&] { launch(copy_vectors, dim3(blocks), dim3(256), 0, timer.stream(), from.data(), to.data(), vectors); });
  const auto a = from.first(1024), b = to.first(1024);
  IL_CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float4)) == 0, "gpu_micro: the copy is not what was copied");
  const double moved = 2.0 * static_cast<double>(bytes);
  return {moved / (memcpy_ms * 1e-3), moved / (kernel_ms * 1e-3)};
}

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

double measure_ffma(Timer& timer, const Effort& effort, int multiprocessors) {
  const int blocks = multiprocessors * 8, threads = 256;
  Buffer<float> out(static_cast<std::size_t>(blocks) * threads);
  const double ms = timer.milliseconds(effort.repeats, [&] {
    launch(multiply_add, dim3(blocks), dim3(threads), 0, timer.stream(), out.data(), effort.ffma_rounds);
  });
  float expected = 0;
  for (int c = 0; c < kChains; ++c) {
    float value = static_cast<float>(c);
    for (int i = 0; i < effort.ffma_rounds * kUnrolled; ++i) value = std::fma(value, kFactor, kAddend);
    expected += value;
  }
  IL_CHECK(out.first(1)[0] == expected, "gpu_micro: multiply-adds gave {} and should give {}", out.first(1)[0], expected);
  return 2.0 * kChains * kUnrolled * effort.ffma_rounds * blocks * threads / (ms * 1e-3);
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

double measure_mma(Timer& timer, const Effort& effort, int multiprocessors) {
  const int blocks = multiprocessors * 8, threads = 256;
  Buffer<float> out(static_cast<std::size_t>(blocks) * threads);
  const double ms = timer.milliseconds(effort.repeats, [&] {
    launch(multiply_tiles, dim3(blocks), dim3(threads), 0, timer.stream(), out.data(), effort.mma_rounds);
  });
  // Thread 0 holds row 0, column 0 of each product.
  double expected = 0;
  for (int k = 0; k < 8; ++k) expected += static_cast<double>(a_at(0, k)) * static_cast<double>(b_at(k, 0));
  expected *= static_cast<double>(effort.mma_rounds) * kAccumulators;
  const double got = out.first(1)[0];
  IL_CHECK(std::abs(got - expected) <= 1e-3 * std::abs(expected), "gpu_micro: mma.sync gave {} and should give {}", got,
           expected);
  const double products = static_cast<double>(effort.mma_rounds) * kAccumulators * blocks * (threads / 32);
  return 2.0 * 16 * 8 * 8 * products / (ms * 1e-3);
}

void measure(const Effort& effort) {
  int count = 0;
  IL_CHECK(cudaGetDeviceCount(&count) == cudaSuccess && count > 0, "gpu_micro: no NVIDIA GPU was found");
  IL_CUDA_CHECK(cudaSetDevice(0));
  cudaDeviceProp device;
  IL_CUDA_CHECK(cudaGetDeviceProperties(&device, 0));
  Timer timer;
  const NodeCost one = measure_nodes(timer, effort, 1);
  const NodeCost full = measure_nodes(timer, effort, device.multiProcessorCount);
  const CopyRate copy = measure_copies(timer, effort, device.multiProcessorCount);
  const double ffma = measure_ffma(timer, effort, device.multiProcessorCount);
  const double mma = measure_mma(timer, effort, device.multiProcessorCount);
  std::printf("{\"device\": \"%s\", \"multiprocessors\": %d, \"l2_bytes\": %d, \"graph_node_us\": %.4g, "
              "\"graph_node_full_us\": %.4g, \"launch_us\": %.4g, \"launch_full_us\": %.4g, \"memcpy_tb_s\": %.4g, "
              "\"copy_tb_s\": %.4g, \"ffma_tflop_s\": %.4g, \"mma_tf32_tflop_s\": %.4g}\n",
              device.name, device.multiProcessorCount, device.l2CacheSize, one.graph, full.graph, one.launched, full.launched,
              copy.copy_engine * 1e-12, copy.kernel * 1e-12, ffma * 1e-12, mma * 1e-12);
}

int run(int argc, char** argv) {
  Effort effort;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) != "--quick") {
      std::fprintf(stderr, "usage: gpu_micro [--quick]\n");
      return 2;
    }
    effort = {.repeats = 3, .nodes = 500, .copy_bytes = std::size_t{1} << 28, .ffma_rounds = 1024, .mma_rounds = 1024};
  }
  try {
    measure(effort);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace innerloop::bench

int main(int argc, char** argv) { return innerloop::bench::run(argc, argv); }
