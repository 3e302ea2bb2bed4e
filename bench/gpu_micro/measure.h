// What the measurements of gpu_micro share: how much effort, a timer, memory, and the figures that they give.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/status.h"
#include "tensor/error.h"

namespace innerloop::bench {

struct Effort {
  int repeats = 9;
  int nodes = 2000;
  std::size_t copy_bytes = std::size_t{1} << 30;
  int rounds = 4096;  ///< of arithmetic, of reads from the cache and of barriers
};

struct Card {
  int multiprocessors = 0;
  int architecture = 0;  ///< 90 is 9.0
  std::size_t cache_bytes = 0;
};

/// Names and values, in the order of the report.
using Figures = std::vector<std::pair<std::string, double>>;

class Timer {
 public:
  Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  cudaStream_t stream() const { return stream_; }
  /// Median of `repeats` runs, after two that nobody timed.
  double milliseconds(int repeats, const std::function<void()>& work);

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

// chains.cu

/// What one of many kernels in a row costs, each of which waits for the one before: as nodes of a CUDA graph, by themselves, and where
/// the device can, overlapping (kernels/cuda/launch_overlap.h).
Figures measure_nodes(Timer& timer, const Effort& effort, const Card& card);
/// A barrier of all threads of a cluster of 4, 8 and 16 blocks, where the device has clusters.
Figures measure_cluster_barriers(Timer& timer, const Effort& effort, const Card& card);

// memory.cu

/// Copies: bytes read plus bytes written.
Figures measure_copies(Timer& timer, const Effort& effort, const Card& card);
/// Reads from the second-level cache.
Figures measure_cache(Timer& timer, const Effort& effort, const Card& card);

// arithmetic.cu: a multiply-add is 2 FLOP

Figures measure_ffma(Timer& timer, const Effort& effort, const Card& card);
/// In TF32, by mma.sync.
Figures measure_mma(Timer& timer, const Effort& effort, const Card& card);
/// In TF32, by wgmma, where the device is sm_90.
Figures measure_wgmma(Timer& timer, const Effort& effort, const Card& card);

}  // namespace innerloop::bench
