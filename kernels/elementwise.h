// Elementwise maps, with NumPy broadcasting for two operands.
//
// Dtypes: f32 or f64, the same throughout. Determinism: each element is computed alone. Aliasing: the output may be an
// operand of the same shape. Traffic: operands read once, the output written once.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

enum class UnaryFn : std::uint8_t {
  kNegate,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,       ///< 1/sqrt(x)
  kReciprocal,
  kSquare,
  kRelu,        ///< x < 0 ? 0 : x, so that a NaN is passed on
  kStep,        ///< x > 0 ? 1 : 0
  kTanh,
  kSigmoid,
};

enum class BinaryFn : std::uint8_t { kAdd, kSubtract, kMultiply, kDivide };

/// y = fn(x), same shape.
struct Unary {
  static constexpr std::string_view kName = "unary";
  UnaryFn fn = UnaryFn::kNegate;
  ConstView x;
  View y;
};
inline KernelCost cost_of(const Unary& k) {
  return {elements_of(k.y), bytes_of(k.x, k.y)};
}

/// y = fn(a, b); y has the broadcast shape.
struct Binary {
  static constexpr std::string_view kName = "binary";
  BinaryFn fn = BinaryFn::kAdd;
  ConstView a, b;
  View y;
};
inline KernelCost cost_of(const Binary& k) {
  return {elements_of(k.y), bytes_of(k.a, k.b, k.y)};
}

/// y = scale * x + offset, same shape.
struct Affine {
  static constexpr std::string_view kName = "affine";
  double scale = 1, offset = 0;
  ConstView x;
  View y;
};
inline KernelCost cost_of(const Affine& k) {
  return {2 * elements_of(k.y), bytes_of(k.x, k.y)};
}

/// y = scale * x, repeated along the axes where x has extent 1 (or lacks leading axes).
struct BroadcastTo {
  static constexpr std::string_view kName = "broadcast_to";
  ConstView x;
  View y;
  double scale = 1;
};
inline KernelCost cost_of(const BroadcastTo& k) {
  return {k.scale != 1 ? elements_of(k.y) : 0, bytes_of(k.x, k.y)};
}

/// mask = 1/(1-rate) with probability 1-rate, else 0; element i draws from the address (seed, kDropout, step, task, i/4).
struct DropoutMask {
  static constexpr std::string_view kName = "dropout_mask";
  double rate = 0.5;
  std::uint64_t seed = 0;
  std::uint32_t step = 0, task = 0;
  View mask;
};
inline KernelCost cost_of(const DropoutMask& k) {
  return {0, bytes_of(k.mask)};
}

}  // namespace innerloop::kernels
