#include <atomic>
#include <cstdlib>

#include "kernels/cuda/conv_own.h"

namespace innerloop::kernels::cuda {
namespace {

ConvMath from_environment() {
  const char* asked = std::getenv("IL_CONV_MATH");
  if (asked == nullptr || *asked == '\0') return ConvMath::kTf32x3;
  for (const ConvMath math : kConvMaths) {
    if (name_of(math) == asked) return math;
  }
  fail_usage("IL_CONV_MATH={}: use fp32, tf32x3 or tf32", asked);
}

std::atomic<ConvMath>& setting() {
  static std::atomic<ConvMath> math{from_environment()};
  return math;
}

}  // namespace

std::string_view name_of(ConvMath math) {
  switch (math) {
    case ConvMath::kFp32:
      return "fp32";
    case ConvMath::kTf32x3:
      return "tf32x3";
    case ConvMath::kTf32:
      return "tf32";
  }
  return "unknown";
}

ConvMath conv_math() { return setting().load(std::memory_order_relaxed); }
void set_conv_math(ConvMath math) { setting().store(math, std::memory_order_relaxed); }

}  // namespace innerloop::kernels::cuda
