// On a CPU a list is its tensors, one after another: each kernel cuts its own work for the threads.
#include "kernels/update_lists.h"

#include "kernels/cpu/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/reduce.h"
#include "kernels/update.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

void run_here(const RepeatList& k, Context& context) {
  IL_CHECK(k.theta.size() == k.out.size(), "repeat_list: {} tensors into {}", k.theta.size(), k.out.size());
  for (std::size_t i = 0; i < k.out.size(); ++i) run(BroadcastTo{k.theta[i], k.out[i]}, context);
}

void run_here(const SgdList& k, Context& context) {
  IL_CHECK(k.theta.size() == k.grad.size() && k.theta.size() == k.out.size(), "sgd_list: {}, {} and {} tensors",
           k.theta.size(), k.grad.size(), k.out.size());
  Sgd one;
  one.rate = k.rate_from ? *k.rate_from.as<double>() : k.rate;
  for (std::size_t i = 0; i < k.out.size(); ++i) {
    one.theta = k.theta[i];
    one.grad = k.grad[i];
    one.out = k.out[i];
    run(one, context);
  }
}

template <class T>
void adam(const AdamList& k, std::size_t i, Context& context) {
  const double* schedule = k.schedule.as<double>();
  const T b1 = static_cast<T>(k.beta1), c1 = static_cast<T>(1 - k.beta1);
  const T b2 = static_cast<T>(k.beta2), c2 = static_cast<T>(1 - k.beta2);
  const T rate = static_cast<T>(schedule[0] * schedule[1]), unbias2 = static_cast<T>(schedule[2]);
  const T epsilon = static_cast<T>(k.epsilon);
  const T clip = k.clip > 0 ? static_cast<T>(k.clip) : static_cast<T>(__builtin_inf());
  const T* grad = k.grad[i].as<T>();
  T *theta = k.theta[i].as<T>(), *m = k.m[i].as<T>(), *v = k.v[i].as<T>();
  parallel_chunks(context, k.theta[i].shape.numel(), kChunkElements, [&](std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
    for (std::int64_t j = begin; j < end; ++j) {
      const T raw = grad[j];
      const T g = raw < -clip ? -clip : (raw > clip ? clip : raw);  // a NaN stays a NaN
      const T new_m = b1 * m[j] + c1 * g;
      const T new_v = b2 * v[j] + c2 * (g * g);
      m[j] = new_m;
      v[j] = new_v;
      theta[j] -= rate * new_m / (sqrt_of(new_v * unbias2) + epsilon);
    }
  });
}

void run_here(const AdamList& k, Context& context) {
  const std::size_t n = k.theta.size();
  IL_CHECK(k.grad.size() == n && k.m.size() == n && k.v.size() == n, "adam_list: {}, {}, {} and {} tensors",
           k.grad.size(), n, k.m.size(), k.v.size());
  for (std::size_t i = 0; i < n; ++i)
    with_float(k.theta[i].dtype, "adam_list", [&](auto tag) { adam<decltype(tag)>(k, i, context); });
}

void run_here(const MeanOverTasksList& k, Context& context) {
  IL_CHECK(k.x.size() == k.y.size(), "mean_over_tasks_list: {} tensors into {}", k.x.size(), k.y.size());
  for (std::size_t i = 0; i < k.x.size(); ++i) {
    MeanOverTasks one;
    one.x = k.x[i];
    one.tasks = k.tasks;
    one.y = k.y[i];
    run(one, context);
  }
}

void run_here(const SumOfSquaresList& k, Context& context) {
  IL_CHECK(k.y.shape.numel() == static_cast<std::int64_t>(k.x.size()), "sum_of_squares_list: {} tensors into {}",
           k.x.size(), k.y.shape.to_string());
  for (std::size_t i = 0; i < k.x.size(); ++i) {
    SumOfSquares one;
    one.x = k.x[i];
    one.y = View{k.y.as<double>() + i, DType::kF64, Shape{1}};
    run(one, context);
  }
}

IL_REGISTER_KERNEL(RepeatList);
IL_REGISTER_KERNEL(SgdList);
IL_REGISTER_KERNEL(AdamList);
IL_REGISTER_KERNEL(MeanOverTasksList);
IL_REGISTER_KERNEL(SumOfSquaresList);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
