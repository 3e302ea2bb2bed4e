// DeviceBuffer: a block of device memory with one owner, for what lives as long as a library handle does.
#pragma once

#include <cstddef>
#include <utility>

#include "kernels/cuda/status.h"

namespace innerloop::kernels::cuda {

class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// cudaMalloc: synchronises the device and must not be called while a stream is captured. 0 bytes is no memory.
  explicit DeviceBuffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes > 0) IL_CUDA_CHECK(cudaMalloc(&data_, bytes));
  }
  ~DeviceBuffer() { reset(); }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    if (this != &other) {
      reset();
      data_ = std::exchange(other.data_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void reset() {
    // A failure to free has nobody to report to: the next checked call meets the same error.
    if (data_ != nullptr) static_cast<void>(cudaFree(data_));
    data_ = nullptr;
    bytes_ = 0;
  }

  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace innerloop::kernels::cuda
