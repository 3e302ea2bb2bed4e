// SGD, Adam and the clip: one pass over memory each.
#include "kernels/update.h"

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/launch.cuh"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
__global__ void sgd_kernel(const T* theta, const T* grad, T* out, std::int64_t n, std::int64_t period, T rate) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    out[i] = theta[period == n ? i : i % period] - rate * grad[i];
}

void run_here(const Sgd& k, Context& context) {
  const std::int64_t n = k.out.shape.numel(), period = k.theta.shape.numel();
  if (n == 0) return;
  with_float(k.out.dtype, "sgd", [&]<class T>(T) {
    launch(sgd_kernel<T>, dim3(blocks_for(n)), dim3(kBlock), 0, stream_of(context), k.theta.as<T>(), k.grad.as<T>(),
           k.out.as<T>(), n, period, static_cast<T>(k.rate));
  });
}

IL_REGISTER_KERNEL(Sgd);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
