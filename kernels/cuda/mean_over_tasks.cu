// The mean over tasks: a thread sums its elements task after task, neighbours beside each other in memory.
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/reduce.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
struct MeanBody {
  const T* x;
  T* y;
  std::int64_t n, parts;
  double tasks;

  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    double sum[kWidth] = {};
#pragma unroll 4
    for (std::int64_t t = 0; t < parts; ++t) {
      const auto value = load_pack<kWidth>(x + t * n + i);
      for (int j = 0; j < kWidth; ++j) sum[j] += static_cast<double>(value.lane[j]);
    }
    Pack<T, kWidth> mean;
    for (int j = 0; j < kWidth; ++j) mean.lane[j] = static_cast<T>(sum[j] / tasks);
    store_pack(y + i, mean);
  }
};

void run_here(const MeanOverTasks& k, Context& context) {
  const std::int64_t n = k.y.shape.numel(), parts = k.x.shape.rank() > 0 ? k.x.shape[0] : 0;
  IL_CHECK(k.x.shape.numel() == parts * n && k.x.dtype == k.y.dtype && k.tasks > 0,
           "mean_over_tasks: {} ({}) over {} tasks into {} ({})", k.x.shape.to_string(), name_of(k.x.dtype), k.tasks,
           k.y.shape.to_string(), name_of(k.y.dtype));
  with_float(k.x.dtype, "mean_over_tasks", [&]<class T>(T) {
    // Every task must begin at a whole pack.
    for_each_pack<T>(stream_of(context), n, packs_fit({k.x.data, k.y.data}, kPack<T>, {parts > 1 ? n : 0}),
                     MeanBody<T>{k.x.as<T>(), k.y.as<T>(), n, parts, static_cast<double>(k.tasks)});
  });
}

IL_REGISTER_KERNEL(MeanOverTasks);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
