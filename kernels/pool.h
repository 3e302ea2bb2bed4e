// Pooling over windows of any size and stride, no padding, floor. Max-pool is split so that it closes under
// differentiation: the forward pass decides, gather and scatter apply the decision and are each other's adjoints.
//
// Shapes: x, gx [T, N, H, W, C]; y, gy, choice [T, N, P, Q, C] with P = (H - window_h)/stride_h + 1.
// choice (i32): r*window_w + s of the maximum, ties to the first; a NaN is passed on. Dtypes: f32 or f64.
// Determinism: the same bits at any number of threads; scatter adds in window order. Aliasing: none.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

struct PoolGeometry {
  std::int64_t window_h = 2, window_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
};

struct MaxPool {
  static constexpr std::string_view kName = "max_pool";
  PoolGeometry geometry;
  ConstView x;
  View y, choice;
};
inline KernelCost cost_of(const MaxPool& k) {
  return {0, bytes_of(k.x, k.y, k.choice)};
}

/// y = x at the chosen positions.
struct PoolGather {
  static constexpr std::string_view kName = "pool_gather";
  PoolGeometry geometry;
  ConstView x, choice;
  View y;
};
inline KernelCost cost_of(const PoolGather& k) {
  // Of x, one element a window.
  return {0, bytes_of(k.y, k.choice, k.y)};
}

/// gx = sum of gy at the chosen positions, 0 elsewhere.
struct PoolScatter {
  static constexpr std::string_view kName = "pool_scatter";
  PoolGeometry geometry;
  ConstView gy, choice;
  View gx;
};
inline KernelCost cost_of(const PoolScatter& k) {
  return {elements_of(k.gy), bytes_of(k.gy, k.choice, k.gx)};
}

/// y = mean over each window.
struct AveragePool {
  static constexpr std::string_view kName = "average_pool";
  PoolGeometry geometry;
  ConstView x;
  View y;
};
inline KernelCost cost_of(const AveragePool& k) {
  return {elements_of(k.y) * k.geometry.window_h * k.geometry.window_w, bytes_of(k.x, k.y)};
}

/// The adjoint of AveragePool.
struct AveragePoolGrad {
  static constexpr std::string_view kName = "average_pool_grad";
  PoolGeometry geometry;
  ConstView gy;
  View gx;
};
inline KernelCost cost_of(const AveragePoolGrad& k) {
  return {elements_of(k.gy) * k.geometry.window_h * k.geometry.window_w, bytes_of(k.gy, k.gx)};
}

}  // namespace innerloop::kernels
