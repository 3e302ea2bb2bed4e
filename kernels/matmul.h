// Batched matrix product: out[t] = op(a[t]) op(b[t]), with an optional second pair accumulated into the same output.
//
// Shapes: op(a) [T|1, M, K], op(b) [T|1, K, N], out [T|1, M, N]; op transposes the last two axes where asked. An operand of
//   task extent 1 serves all tasks; an output of task extent 1 is the sum over tasks, in task order.
// Dtypes: f32 or f64. Determinism: the same bits at any number of threads. Aliasing: none.
// Traffic, ideal: each operand read once, the output written once.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

enum class Transpose : std::uint8_t { kNo, kYes };

struct Matmul {
  static constexpr std::string_view kName = "matmul";
  Transpose transpose_a = Transpose::kNo, transpose_b = Transpose::kNo;
  ConstView a[2], b[2];  ///< pair 1 may be absent
  View out;
};
inline KernelCost cost_of(const Matmul& k) {
  const auto flops = [&](const ConstView& a, const ConstView& b) {
    if (elements_of(a) == 0 || elements_of(b) == 0) return std::int64_t{0};
    return 2 * tasks_of(a, b, k.out) * k.out.shape[1] * k.out.shape[2] * a.shape[k.transpose_a == Transpose::kYes ? 1 : 2];
  };
  return {flops(k.a[0], k.b[0]) + flops(k.a[1], k.b[1]), bytes_of(k.a[0], k.b[0], k.a[1], k.b[1], k.out)};
}

}  // namespace innerloop::kernels
