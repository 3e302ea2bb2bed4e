// The convolutions once more, as their definition reads: nested loops in float64 over every product, and beside each
// value its magnitude, the sum of |products|, by which rounding errors are measured.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/conv.h"

namespace innerloop::kernels {

struct ConvCase {
  std::int64_t n = 1, h = 1, w = 1, c = 1, k = 1, r = 1, s = 1, p = 1, q = 1;
  ConvGeometry geometry;

  std::int64_t x_size() const { return n * h * w * c; }
  std::int64_t w_size() const { return r * s * (c / geometry.groups) * k; }
  std::int64_t y_size() const { return n * p * q * k; }
  std::string text() const {
    return fmt::format("N{} {}x{} C{}->K{} filter {}x{} out {}x{} stride {}x{} pad {},{} dilation {}x{} groups {}", n,
                       h, w, c, k, r, s, p, q, geometry.stride_h, geometry.stride_w, geometry.pad_top, geometry.pad_left,
                       geometry.dilation_h, geometry.dilation_w, geometry.groups);
  }
};

/// Calls product(index in x, index in w, index in y) for every product of one task's convolution.
template <class Product>
void for_each_product(const ConvCase& z, const Product& product) {
  const ConvGeometry& g = z.geometry;
  const std::int64_t group_c = z.c / g.groups, group_k = z.k / g.groups;
  for (std::int64_t n = 0; n < z.n; ++n)
    for (std::int64_t p = 0; p < z.p; ++p)
      for (std::int64_t q = 0; q < z.q; ++q)
        for (std::int64_t r = 0; r < z.r; ++r)
          for (std::int64_t s = 0; s < z.s; ++s) {
            const std::int64_t i = p * g.stride_h - g.pad_top + r * g.dilation_h;
            const std::int64_t j = q * g.stride_w - g.pad_left + s * g.dilation_w;
            if (i < 0 || i >= z.h || j < 0 || j >= z.w) continue;
            for (std::int64_t c = 0; c < group_c; ++c)
              for (std::int64_t k = 0; k < z.k; ++k)
                product(((n * z.h + i) * z.w + j) * z.c + k / group_k * group_c + c,
                        ((r * z.s + s) * group_c + c) * z.k + k, ((n * z.p + p) * z.q + q) * z.k + k);
          }
}

enum class ConvKind { kForward, kInputGrad, kWeightGrad };
inline constexpr ConvKind kConvKinds[] = {ConvKind::kForward, ConvKind::kInputGrad, ConvKind::kWeightGrad};

/// One call: which of the three, how many pairs, and the task extent of each operand and of the output.
struct ConvCall {
  ConvCase z;
  ConvKind kind = ConvKind::kForward;
  int pairs = 1;
  std::int64_t tasks_a[2] = {1, 1}, tasks_b[2] = {1, 1}, tasks_out = 1;

  std::int64_t a_size() const { return kind == ConvKind::kInputGrad ? z.y_size() : z.x_size(); }
  std::int64_t b_size() const { return kind == ConvKind::kWeightGrad ? z.y_size() : z.w_size(); }
  std::int64_t out_size() const {
    return kind == ConvKind::kForward ? z.y_size() : kind == ConvKind::kInputGrad ? z.x_size() : z.w_size();
  }
  std::int64_t tasks() const {
    return std::max({tasks_a[0], tasks_b[0], tasks_a[1], tasks_b[1], tasks_out});
  }
  std::string text() const {
    constexpr const char* kNames[] = {"forward", "input grad", "weight grad"};
    return fmt::format("{}, {} pairs, tasks ({},{}) ({},{}) -> {}: {}", kNames[static_cast<int>(kind)], pairs,
                       tasks_a[0], tasks_b[0], tasks_a[1], tasks_b[1], tasks_out, z.text());
  }
};

struct ConvResult {
  std::vector<double> value, magnitude;
};

inline ConvResult conv_oracle(const ConvCall& call, const std::vector<double> (&a)[2],
                              const std::vector<double> (&b)[2]) {
  ConvResult result;
  result.value.assign(static_cast<std::size_t>(call.tasks_out * call.out_size()), 0.0);
  result.magnitude = result.value;
  for (std::int64_t t = 0; t < call.tasks(); ++t) {
    const std::int64_t out_at = call.tasks_out == 1 ? 0 : t * call.out_size();
    for (int i = 0; i < call.pairs; ++i) {
      const double* pa = a[i].data() + (call.tasks_a[i] == 1 ? 0 : t * call.a_size());
      const double* pb = b[i].data() + (call.tasks_b[i] == 1 ? 0 : t * call.b_size());
      double* value = result.value.data() + out_at;
      double* magnitude = result.magnitude.data() + out_at;
      const auto add = [&](std::int64_t at, double product) {
        value[at] += product;
        magnitude[at] += std::abs(product);
      };
      for_each_product(call.z, [&](std::int64_t x, std::int64_t w, std::int64_t y) {
        switch (call.kind) {
          case ConvKind::kForward: return add(y, pa[x] * pb[w]);
          case ConvKind::kInputGrad: return add(x, pa[y] * pb[w]);
          case ConvKind::kWeightGrad: return add(w, pa[x] * pb[y]);
        }
      });
    }
  }
  return result;
}

}  // namespace innerloop::kernels
