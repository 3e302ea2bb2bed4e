// The arithmetic peak of the machine, as a kernel: multiply-adds that wait for nothing but each other.
//
// out[i] = the end of many chains x <- 0.5 x + 0.25 from 1, summed: 384 multiply-adds a group, spread over as many chains as the
// target keeps in registers. The value says only that they were computed.
// Shapes: out [n], n pieces of work for the threads. Dtypes: f32 or f64. Determinism: the same bits at any number of threads,
// other sums on other targets, whose chains differ in number.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

inline constexpr std::int64_t kFmaGroup = 384;  ///< a multiple of every target's chains

struct FmaPeak {
  static constexpr std::string_view kName = "fma_peak";
  std::int64_t groups = 1;
  View out;
};
inline KernelCost cost_of(const FmaPeak& k) {
  return {2 * kFmaGroup * k.groups * elements_of(k.out), bytes_of(k.out)};
}

}  // namespace innerloop::kernels
