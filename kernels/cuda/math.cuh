// The mathematical functions of kernels, by type. CUDA's accurate ones: fast-math is never on.
#pragma once

#include <cmath>

#include "kernels/cuda/device.cuh"

namespace innerloop::kernels::cuda {

__device__ __forceinline__ float exp_of(float x) { return expf(x); }
__device__ __forceinline__ double exp_of(double x) { return exp(x); }
__device__ __forceinline__ float log_of(float x) { return logf(x); }
__device__ __forceinline__ double log_of(double x) { return log(x); }
__device__ __forceinline__ float sqrt_of(float x) { return sqrtf(x); }
__device__ __forceinline__ double sqrt_of(double x) { return sqrt(x); }
__device__ __forceinline__ float tanh_of(float x) { return tanhf(x); }
__device__ __forceinline__ double tanh_of(double x) { return tanh(x); }

/// a b + c, rounded once. The compiler makes these of products and sums as it sees fit, and of a b + c d either of two: where two kernels
/// must give the same bits, such a sum says itself which product is exact.
template <class T>
__device__ __forceinline__ T fused_multiply_add(T a, T b, T c) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return __fmaf_rn(a, b, c);
  } else {
    return __fma_rn(a, b, c);
  }
}

/// A parameter after a step of gradient descent: theta - rate g, the same wherever the step is taken.
template <class T>
__device__ __forceinline__ T descended(T theta, T rate, T gradient) {
  return fused_multiply_add(-rate, gradient, theta);
}

}  // namespace innerloop::kernels::cuda
