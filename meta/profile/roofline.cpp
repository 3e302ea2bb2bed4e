#include "meta/profile/roofline.h"

#include <algorithm>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/roofline.h"
#include "tensor/tensor.h"

namespace innerloop::meta::profile {
namespace {

/// The best of several runs of `work`, each of which waits for the device.
template <class F>
double best_seconds(Context& context, HostClock clock, const F& work) {
  constexpr int kRuns = 10;
  double best = 0;
  for (int i = 0; i <= kRuns; ++i) {
    const double begin = seconds_of(clock);
    work();
    if (context.device() != nullptr) context.device()->synchronize();
    const double seconds = seconds_of(clock) - begin;
    if (i == 1 || (i > 1 && seconds < best)) best = seconds;  // the first touches the memory
  }
  return best;
}

double flops_per_second(Context& context, HostClock clock, std::int64_t elements, std::int64_t groups) {
  Tensor out = Tensor::zeros({elements}, DType::kF32);
  const kernels::FmaPeak kernel{.groups = groups, .out = out.mutable_view()};
  const double seconds = best_seconds(context, clock, [&] { kernels::run(kernel, context); });
  return static_cast<double>(cost_of(kernel).flops) / seconds;
}

kernels::Affine copy_of(const Tensor& x, Tensor& y) {
  return {.scale = 0.5, .offset = 1, .x = x.view(), .y = y.mutable_view()};
}

double memory_rate(Context& context, HostClock clock, std::int64_t elements) {
  const Tensor x = Tensor::full({elements}, DType::kF32, 1);
  Tensor y = Tensor::zeros({elements}, DType::kF32);
  const kernels::Affine kernel = copy_of(x, y);
  const double seconds = best_seconds(context, clock, [&] { kernels::run(kernel, context); });
  return static_cast<double>(cost_of(kernel).bytes) / seconds;
}

/// Every thread copies arrays of its own, again and again.
double cache_rate(Context& context, HostClock clock, std::int64_t elements) {
  constexpr int kRepeats = 200;
  const int threads = context.threads().threads();
  std::vector<Tensor> x, y;
  for (int t = 0; t < threads; ++t) {
    x.push_back(Tensor::full({elements}, DType::kF32, 1));
    y.push_back(Tensor::zeros({elements}, DType::kF32));
  }
  const double seconds = best_seconds(context, clock, [&] {
    context.threads().parallel_for(threads, [&](std::int64_t t) {
      const auto at = static_cast<std::size_t>(t);
      for (int i = 0; i < kRepeats; ++i) kernels::run(copy_of(x[at], y[at]), context);
    });
  });
  return static_cast<double>(cost_of(copy_of(x[0], y[0])).bytes) * kRepeats * threads / seconds;
}

}  // namespace

double Roofline::least_seconds(const kernels::KernelCost& cost) const {
  const bool cached = cache_bytes_per_s > 0 && cost.bytes <= cache_bytes;
  const double rate = cached ? std::max(cache_bytes_per_s, memory_bytes_per_s) : memory_bytes_per_s;
  const double arithmetic = flops_per_s > 0 ? static_cast<double>(cost.flops) / flops_per_s : 0;
  const double traffic = rate > 0 ? static_cast<double>(cost.bytes) / rate : 0;
  return std::max(arithmetic, traffic);
}

Roofline measure_roofline(Context& context, HostClock clock) {
  const ContextScope scope(context);
  Roofline r;
  if (context.device() != nullptr) {
    // As much as takes a few milliseconds: devices differ by orders of magnitude, and one is an executor on a CPU.
    constexpr double kEnough = 3e-3;
    for (std::int64_t threads = 1 << 12, groups = 1; groups <= 1024;) {
      r.flops_per_s = flops_per_second(context, clock, threads, groups);
      if (static_cast<double>(2 * kernels::kFmaGroup * groups * threads) / r.flops_per_s >= kEnough) break;
      (threads < 1 << 18 ? threads : groups) *= 2;
    }
    for (std::int64_t n = 1 << 14; n <= std::int64_t{1} << 28; n *= 4) {
      r.memory_bytes_per_s = memory_rate(context, clock, n);
      if (static_cast<double>(8 * n) / r.memory_bytes_per_s >= kEnough) break;
    }
    return r;
  }
  if (clock == HostClock::kThread && context.threads().threads() > 1) {
    Context one(1, context.target());
    r = measure_roofline(one, clock);
    for (double* rate : {&r.flops_per_s, &r.memory_bytes_per_s, &r.cache_bytes_per_s}) *rate *= context.threads().threads();
    return r;
  }
  r.flops_per_s = flops_per_second(context, clock, 16 * context.threads().threads(), 20000);
  r.memory_bytes_per_s = memory_rate(context, clock, std::int64_t{1} << 23);
  // Half of the second-level cache of cores of today, so that it holds what else a kernel touches.
  r.cache_bytes = 512 << 10;
  r.cache_bytes_per_s = cache_rate(context, clock, r.cache_bytes / 8);
  return r;
}

}  // namespace innerloop::meta::profile
