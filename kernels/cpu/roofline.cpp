// The arithmetic peak of a CPU: as many chains as the registers hold, in every lane.
#include "kernels/roofline.h"

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/simd.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
T chains(std::int64_t groups) {
  using V = Vec<T>;
  constexpr std::int64_t kTogether = std::int64_t{kAccumulators} * V::kLanes;
  static_assert(kFmaGroup % kTogether == 0);
  V x[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) x[i] = V::broadcast(T{1});
  const V half = V::broadcast(T(0.5)), quarter = V::broadcast(T(0.25));
  for (std::int64_t round = groups * (kFmaGroup / kTogether); round > 0; --round) {
#pragma GCC unroll 24
    for (int i = 0; i < kAccumulators; ++i) x[i] = fma(x[i], half, quarter);
  }
  V sum = x[0];
  for (int i = 1; i < kAccumulators; ++i) sum = sum + x[i];
  T lanes[V::kLanes];
  sum.store(lanes);
  T total = 0;
  for (const T lane : lanes) total += lane;
  return total;
}

void run_here(const FmaPeak& k, Context& context) {
  with_float(k.out.dtype, "fma_peak", [&](auto tag) {
    using T = decltype(tag);
    T* out = k.out.template as<T>();
    context.threads().parallel_for(k.out.shape.numel(), [&](std::int64_t i) { out[i] = chains<T>(k.groups); });
  });
}

IL_REGISTER_KERNEL(FmaPeak);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
