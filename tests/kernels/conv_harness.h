// Runs a ConvCall through the kernels: operands in memory of their own, the output between guards and full of NaN.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tensor/context.h"
#include "tests/kernels/conv_oracle.h"
#include "tests/kernels/targets.h"

namespace innerloop::kernels {

/// A rounding error is at most this many epsilons times the sum of the magnitudes of an output's products. The worst
/// case grows with the number of products, the typical one is below 1: random signs cancel.
inline constexpr double kConvErrorBound = 4.0;
/// In tiles of 4x4 outputs an error is relative to the products of its tile, of which an output at an image's border has fewer.
inline constexpr double kWideTileErrorBound = 24.0;

/// Whether float32 convolutions of this call may be made in tiles of 4x4 outputs.
inline bool may_have_wide_tiles(const ConvCall& call, const Context& context) {
  const ConvGeometry& g = call.z.geometry;
  const Target target = context.target();
  const std::int64_t lanes = target == Target::kPortable ? 4 : target == Target::kAvx2 ? 8 : 16;
  if (call.z.c % lanes != 0 || call.z.k % lanes != 0) return false;  // whole vectors of channels alone
  return context.winograd() == Winograd::kOn && call.z.r == 3 && call.z.s == 3 && g.stride_h == 1 && g.stride_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.groups == 1 && context.device() == nullptr;
}

/// Operands that are exact in float32, so that every dtype sees the same problem.
struct ConvOperands {
  std::vector<double> a[2], b[2];

  ConvOperands(const ConvCall& call, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> values(-1.0f, 1.0f);
    const auto fill = [&](std::vector<double>& v, std::int64_t size) {
      v.resize(static_cast<std::size_t>(size));
      for (double& x : v) x = values(random);
    };
    for (int i = 0; i < call.pairs; ++i) {
      fill(a[i], call.tasks_a[i] * call.a_size());
      fill(b[i], call.tasks_b[i] * call.b_size());
    }
  }
};

template <class T>
std::vector<T> run_conv(const ConvCall& call, const ConvOperands& operands, Context& context) {
  const ConvCase& z = call.z;
  const auto shape = [&](std::int64_t tasks, char which) {
    switch (which) {
      case 'x': return Shape{tasks, z.n, z.h, z.w, z.c};
      case 'w': return Shape{tasks, z.r, z.s, z.c / z.geometry.groups, z.k};
      default: return Shape{tasks, z.n, z.p, z.q, z.k};
    }
  };
  const char* const roles = call.kind == ConvKind::kForward ? "xwy" : call.kind == ConvKind::kInputGrad ? "ywx" : "xyw";
  harness::Memory<T> a[2], b[2];
  ConstView va[2], vb[2];
  for (int i = 0; i < call.pairs; ++i) {
    a[i].assign(operands.a[i].begin(), operands.a[i].end());
    b[i].assign(operands.b[i].begin(), operands.b[i].end());
    va[i] = {a[i].data(), DTypeOf<T>::value, shape(call.tasks_a[i], roles[0])};
    vb[i] = {b[i].data(), DTypeOf<T>::value, shape(call.tasks_b[i], roles[1])};
  }
  constexpr std::size_t kGuard = 64;
  constexpr T kGuardValue = T(-12345.5);
  const std::size_t size = static_cast<std::size_t>(call.tasks_out * call.out_size());
  harness::Memory<T> memory(size + 2 * kGuard, kGuardValue);
  std::fill_n(memory.begin() + kGuard, size, std::numeric_limits<T>::quiet_NaN());
  const View out{memory.data() + kGuard, DTypeOf<T>::value, shape(call.tasks_out, roles[2])};
  switch (call.kind) {
    case ConvKind::kForward: run(ConvForward{z.geometry, {va[0], va[1]}, {vb[0], vb[1]}, out}, context); break;
    case ConvKind::kInputGrad: run(ConvInputGrad{z.geometry, {va[0], va[1]}, {vb[0], vb[1]}, out}, context); break;
    case ConvKind::kWeightGrad: run(ConvWeightGrad{z.geometry, {va[0], va[1]}, {vb[0], vb[1]}, out}, context); break;
  }
  harness::wait_for_device();
  for (std::size_t i = 0; i < kGuard; ++i) {
    EXPECT_EQ(memory[i], kGuardValue) << "written before the output, " << call.text();
    EXPECT_EQ(memory[kGuard + size + i], kGuardValue) << "written past the output, " << call.text();
  }
  return {memory.begin() + kGuard, memory.end() - kGuard};
}

/// Largest error in epsilons times magnitude; infinite when a value is not a number.
template <class T>
double conv_error(const ConvResult& want, const std::vector<T>& got) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - want.value[i]);
    if (error == 0) continue;
    const double relative = error / (std::numeric_limits<T>::epsilon() * want.magnitude[i]);
    if (!(relative <= worst)) worst = std::isnan(relative) ? std::numeric_limits<double>::infinity() : relative;
  }
  return worst;
}

/// Root mean square of the errors, in epsilons of the magnitude of an output's products.
inline double typical_error(const ConvResult& want, const std::vector<float>& got) {
  double sum = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = (static_cast<double>(got[i]) - want.value[i]) / want.magnitude[i];
    sum += error * error;
  }
  return std::sqrt(sum / static_cast<double>(got.size())) / std::numeric_limits<float>::epsilon();
}

/// Checks `call` on every target in both dtypes.
inline void check_conv(const ConvCall& call, unsigned seed) {
  const ConvOperands operands(call, seed);
  const ConvResult want = conv_oracle(call, operands.a, operands.b);
  static std::vector<std::unique_ptr<Context>> contexts = [] {
    std::vector<std::unique_ptr<Context>> all;
    for (Target target : harness::targets()) all.push_back(std::make_unique<Context>(1, target));
    return all;
  }();
  for (const auto& context : contexts) {
    const double bound = may_have_wide_tiles(call, *context) ? kWideTileErrorBound : kConvErrorBound;
    EXPECT_LE(conv_error(want, run_conv<float>(call, operands, *context)), bound)
        << "f32 " << name_of(context->target()) << ": " << call.text();
    EXPECT_LE(conv_error(want, run_conv<double>(call, operands, *context)), kConvErrorBound)
        << "f64 " << name_of(context->target()) << ": " << call.text();
  }
}

/// The output extent that padding on both sides gives.
inline std::int64_t conv_extent(std::int64_t in, std::int64_t filter, std::int64_t stride, std::int64_t pad_low,
                                std::int64_t pad_high, std::int64_t dilation) {
  const std::int64_t room = in + pad_low + pad_high - ((filter - 1) * dilation + 1);
  return room < 0 ? 0 : room / stride + 1;
}

}  // namespace innerloop::kernels
