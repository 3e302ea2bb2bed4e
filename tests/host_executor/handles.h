// Streams, events and pinned memory of a test, destroyed with it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/host/options.h"
#include "tests/host_executor/device_array.h"

namespace innerloop::tests {

struct Stream {
  cudaStream_t handle = nullptr;
  explicit Stream(unsigned flags = cudaStreamNonBlocking) { require(cudaStreamCreateWithFlags(&handle, flags)); }
  ~Stream() { cudaStreamDestroy(handle); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
};

struct Event {
  cudaEvent_t handle = nullptr;
  Event() { require(cudaEventCreate(&handle)); }
  ~Event() { cudaEventDestroy(handle); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
};

struct Pinned {
  float* data = nullptr;
  explicit Pinned(std::size_t count) {
    require(cudaMallocHost(reinterpret_cast<void**>(&data), count * sizeof(float)));
  }
  ~Pinned() { cudaFreeHost(data); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
};

/// The present options with another order of streams.
inline host_executor::Options with_streams(host_executor::StreamOrder order, std::uint64_t seed = 1) {
  host_executor::Options o = host_executor::options();
  o.streams = order;
  o.seed = seed;
  return o;
}

}  // namespace innerloop::tests
