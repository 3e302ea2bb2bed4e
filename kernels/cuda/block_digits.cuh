// A block's number as coordinates: digits whose bases differ, the fastest first.
#pragma once

#include "kernels/cuda/device.cuh"

namespace innerloop::kernels::cuda {

class BlockDigits {
 public:
  __device__ __forceinline__ explicit BlockDigits(unsigned block) : left_(block) {}

  /// The next digit, in [0, base).
  __device__ __forceinline__ int take(int base) {
    const unsigned whole = left_ / static_cast<unsigned>(base);
    const int digit = static_cast<int>(left_ - whole * static_cast<unsigned>(base));
    left_ = whole;
    return digit;
  }
  /// What the digits taken so far leave: the slowest coordinate.
  __device__ __forceinline__ int rest() const { return static_cast<int>(left_); }

 private:
  unsigned left_;
};

}  // namespace innerloop::kernels::cuda
