// The mean over tasks: elements are summed in blocks that stay in the cache, task after task.
#include "kernels/cpu/dispatch.h"
#include "kernels/reduce.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

inline constexpr std::int64_t kSumBlock = 512;  // float64 sums on the stack

void run_here(const MeanOverTasks& k, Context& context) {
  const std::int64_t n = k.y.shape.numel(), parts = k.x.shape.rank() > 0 ? k.x.shape[0] : 0;
  IL_CHECK(k.x.shape.numel() == parts * n && k.x.dtype == k.y.dtype && k.tasks > 0,
           "mean_over_tasks: {} ({}) over {} tasks into {} ({})", k.x.shape.to_string(), name_of(k.x.dtype), k.tasks,
           k.y.shape.to_string(), name_of(k.y.dtype));
  with_float(k.x.dtype, "mean_over_tasks", [&](auto tag) {
    using T = decltype(tag);
    const T* x = k.x.template as<T>();
    T* y = k.y.template as<T>();
    const double tasks = static_cast<double>(k.tasks);
    parallel_chunks(context, n, kSumBlock, [&](std::int64_t begin, std::int64_t end) {
      double sum[kSumBlock];
      for (std::int64_t i = 0; i < end - begin; ++i) sum[i] = 0;
      for (std::int64_t t = 0; t < parts; ++t) {
        const T* from = x + t * n + begin;
        for (std::int64_t i = 0; i < end - begin; ++i) sum[i] += static_cast<double>(from[i]);
      }
      for (std::int64_t i = 0; i < end - begin; ++i) y[begin + i] = static_cast<T>(sum[i] / tasks);
    });
  });
}

IL_REGISTER_KERNEL(MeanOverTasks);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
