// DeviceArray: device memory of a test, freed with it.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "tensor/error.h"

namespace innerloop::tests {

inline void require(cudaError_t status) { IL_CHECK(status == cudaSuccess, "CUDA: {}", cudaGetErrorString(status)); }

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    require(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    require(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  DeviceArray(std::size_t count, T value) : DeviceArray(std::vector<T>(count, value)) {}
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> get() const {
    std::vector<T> values(count_);
    require(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

/// Whole numbers from -20 to 76, so that float sums of them are exact in any order.
inline std::vector<float> sample_values(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(static_cast<int>(i % 97) - 20);
  return values;
}

}  // namespace innerloop::tests
