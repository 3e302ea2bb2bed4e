// The arithmetic peak of a GPU: eight chains a thread, one thread for each element of the output at a time.
#include "kernels/roofline.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr int kChains = 8;
static_assert(kFmaGroup % kChains == 0);

template <class T>
__global__ void fma_peak_kernel(std::int64_t groups, T* out, std::int64_t n) {
  grid_dependency_sync();
  for (std::int64_t at = std::int64_t{blockIdx.x} * kBlock + threadIdx.x; at < n; at += std::int64_t{gridDim.x} * kBlock) {
    T x[kChains];
#pragma unroll
    for (int i = 0; i < kChains; ++i) x[i] = T{1};
    for (std::int64_t round = groups * (kFmaGroup / kChains); round > 0; --round) {
#pragma unroll
      for (int i = 0; i < kChains; ++i) x[i] = fma(x[i], T(0.5), T(0.25));
    }
    T sum = x[0];
#pragma unroll
    for (int i = 1; i < kChains; ++i) sum += x[i];
    out[at] = sum;
  }
}

void run_here(const FmaPeak& k, Context& context) {
  with_float(k.out.dtype, "fma_peak", [&]<class T>(T) {
    const std::int64_t n = k.out.shape.numel();
    launch(fma_peak_kernel<T>, dim3(blocks_for(n)), dim3(kBlock), 0, stream_of(context), k.groups, k.out.template as<T>(), n);
  });
}

IL_REGISTER_KERNEL(FmaPeak);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
