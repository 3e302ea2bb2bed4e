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

}  // namespace innerloop::kernels
