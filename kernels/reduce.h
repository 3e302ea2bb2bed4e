// Reductions over axes. The output has the input's rank, with extent 1 on every reduced axis.
//
// Dtypes: f32 or f64. A float32 sum keeps float64 partials over fixed chunks, joined in order: error about epsilon times the
// magnitude, and the same bits at any number of threads. Aliasing: none. Traffic: x read once, y written once.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

struct ReduceSum {
  static constexpr std::string_view kName = "reduce_sum";
  ConstView x;
  View y;
};

struct ReduceMax {
  static constexpr std::string_view kName = "reduce_max";
  ConstView x;
  View y;
};

}  // namespace innerloop::kernels
