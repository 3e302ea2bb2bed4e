// SGD, Adam and the clip: one pass over memory each.
#include "kernels/update.h"

#include "kernels/cpu/dispatch.h"
#include "kernels/update_check.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
void sgd(const Sgd& k, Context& context) {
  const std::int64_t n = k.out.shape.numel(), period = k.theta.shape.numel();
  if (n == 0) return;
  const T rate = static_cast<T>(k.rate_from ? k.rate_from.as<double>()[0] : k.rate);
  // theta repeats for every task when it has none: cut along tasks, so that a piece never wraps round.
  const std::int64_t piece = smaller(period, kChunkElements), pieces = ceil_div(period, piece);
  parallel_chunks(context, n / period * pieces, larger(1, kChunkElements / piece),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::int64_t first = i % pieces * piece, at = i / pieces * period + first;
                      const std::int64_t count = smaller(piece, period - first);
                      const T* theta = k.theta.as<T>() + first;
                      const T* grad = k.grad.as<T>() + at;
                      T* out = k.out.as<T>() + at;
#pragma GCC ivdep
                      for (std::int64_t j = 0; j < count; ++j) out[j] = theta[j] - rate * grad[j];
                    }
                  });
}

template <class T>
void adam(const Adam& k, Context& context) {
  // The bias corrections and the products of constants are formed in float64 once, not in T for each element.
  double step_rate, second_unbias;
  if (k.schedule) {
    const auto* schedule = k.schedule.as<double>();
    step_rate = schedule[0] * schedule[1], second_unbias = schedule[2];
  } else {
    step_rate = k.rate / (1 - __builtin_pow(k.beta1, static_cast<double>(k.step)));
    second_unbias = 1 / (1 - __builtin_pow(k.beta2, static_cast<double>(k.step)));
  }
  const T b1 = static_cast<T>(k.beta1), c1 = static_cast<T>(1 - k.beta1);
  const T b2 = static_cast<T>(k.beta2), c2 = static_cast<T>(1 - k.beta2);
  const T rate = static_cast<T>(step_rate), unbias2 = static_cast<T>(second_unbias);
  const T epsilon = static_cast<T>(k.epsilon);
  const T* grad = k.grad.as<T>();
  T *theta = k.theta.as<T>(), *m = k.m.as<T>(), *v = k.v.as<T>();
  parallel_chunks(context, k.theta.shape.numel(), kChunkElements, [&](std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
    for (std::int64_t i = begin; i < end; ++i) {
      const T g = grad[i];
      const T new_m = b1 * m[i] + c1 * g;
      const T new_v = b2 * v[i] + c2 * (g * g);
      m[i] = new_m;
      v[i] = new_v;
      theta[i] -= rate * new_m / (sqrt_of(new_v * unbias2) + epsilon);
    }
  });
}

void run_here(const Sgd& k, Context& context) {
  check(k);
  with_float(k.out.dtype, "sgd", [&](auto tag) { sgd<decltype(tag)>(k, context); });
}

void run_here(const Adam& k, Context& context) {
  check(k);
  with_float(k.theta.dtype, "adam", [&](auto tag) { adam<decltype(tag)>(k, context); });
}

void run_here(const ClipValue& k, Context& context) {
  with_float(k.x.dtype, "clip_value", [&](auto tag) {
    using T = decltype(tag);
    const T high = static_cast<T>(k.limit), low = -high;
    T* x = k.x.template as<T>();
    parallel_chunks(context, k.x.shape.numel(), kChunkElements, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) x[i] = x[i] < low ? low : (x[i] > high ? high : x[i]);
    });
  });
}

void run_here(const AdvanceClock& k, Context&) {
  check(k);
  std::int64_t& clock = *k.clock.as<std::int64_t>();
  const std::int64_t last = k.table.shape[0] - 1, line = clock < 0 ? 0 : smaller(clock, last);
  const double* from = k.table.as<double>() + line * 3;
  for (int i = 0; i < 3; ++i) k.schedule.as<double>()[i] = from[i];
  ++clock;
}

IL_REGISTER_KERNEL(AdvanceClock);
IL_REGISTER_KERNEL(Sgd);
IL_REGISTER_KERNEL(Adam);
IL_REGISTER_KERNEL(ClipValue);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
