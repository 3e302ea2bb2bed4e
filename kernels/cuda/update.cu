// SGD, Adam and the clip: one pass over memory each.
#include "kernels/update.h"

#include <cmath>

#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/update_check.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

template <class T>
struct SgdBody {
  const T *theta, *grad;
  T* out;
  std::int64_t period;  ///< elements of theta, which repeats for every task when it has none
  T rate;
  const double* rate_from;  ///< takes the place of `rate`, where it is given

  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const T step = rate_from != nullptr ? static_cast<T>(*rate_from) : rate;
    auto x = load_pack<kWidth>(theta + (i < period ? i : i % period));
    const auto g = load_pack<kWidth>(grad + i);
    for (int j = 0; j < kWidth; ++j) x.lane[j] = descended(x.lane[j], step, g.lane[j]);
    store_pack(out + i, x);
  }
};

template <class T>
struct AdamBody {
  const T* grad;
  T *theta, *m, *v;
  T b1, c1, b2, c2, fixed_rate, fixed_unbias2, epsilon;
  const double* schedule;  ///< takes the place of both fixed numbers, where it is given

  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    const T rate = schedule != nullptr ? static_cast<T>(schedule[0] * schedule[1]) : fixed_rate;
    const T unbias2 = schedule != nullptr ? static_cast<T>(schedule[2]) : fixed_unbias2;
    const auto g = load_pack<kWidth>(grad + i);
    auto x = load_pack<kWidth>(theta + i), mean = load_pack<kWidth>(m + i), square = load_pack<kWidth>(v + i);
    for (int j = 0; j < kWidth; ++j) {
      mean.lane[j] = fused_multiply_add(b1, mean.lane[j], c1 * g.lane[j]);
      square.lane[j] = fused_multiply_add(b2, square.lane[j], c2 * (g.lane[j] * g.lane[j]));
      x.lane[j] -= rate * mean.lane[j] / (sqrt_of(square.lane[j] * unbias2) + epsilon);
    }
    store_pack(m + i, mean);
    store_pack(v + i, square);
    store_pack(theta + i, x);
  }
};

template <class T>
struct ClipBody {
  T* x;
  T limit;

  template <int kWidth>
  __device__ void at(std::int64_t i) const {
    auto value = load_pack<kWidth>(x + i);
    for (T& e : value.lane) e = e < -limit ? -limit : (e > limit ? limit : e);
    store_pack(x + i, value);
  }
};

void run_here(const Sgd& k, Context& context) {
  check(k);
  const std::int64_t n = k.out.shape.numel(), period = k.theta.shape.numel();
  with_float(k.out.dtype, "sgd", [&]<class T>(T) {
    // A pack must not wrap round the end of theta.
    const Packs packs = packs_fit({k.theta.data, k.grad.data, k.out.data}, kPack<T>, {period == n ? 0 : period});
    for_each_pack<T>(
        stream_of(context), n, packs,
        SgdBody<T>{k.theta.as<T>(), k.grad.as<T>(), k.out.as<T>(), period, static_cast<T>(k.rate),
                   k.rate_from.as<double>()});
  });
}

void run_here(const Adam& k, Context& context) {
  check(k);
  // The bias corrections and the products of constants are formed in float64 once, not in T for each element.
  const double correction1 = 1 - std::pow(k.beta1, static_cast<double>(k.step));
  const double correction2 = 1 - std::pow(k.beta2, static_cast<double>(k.step));
  with_float(k.theta.dtype, "adam", [&]<class T>(T) {
    const Packs packs = packs_fit({k.grad.data, k.theta.data, k.m.data, k.v.data});
    for_each_pack<T>(stream_of(context), k.theta.shape.numel(), packs,
                     AdamBody<T>{.grad = k.grad.as<T>(),
                                 .theta = k.theta.as<T>(),
                                 .m = k.m.as<T>(),
                                 .v = k.v.as<T>(),
                                 .b1 = static_cast<T>(k.beta1),
                                 .c1 = static_cast<T>(1 - k.beta1),
                                 .b2 = static_cast<T>(k.beta2),
                                 .c2 = static_cast<T>(1 - k.beta2),
                                 .fixed_rate = static_cast<T>(k.rate / correction1),
                                 .fixed_unbias2 = static_cast<T>(1 / correction2),
                                 .epsilon = static_cast<T>(k.epsilon),
                                 .schedule = k.schedule.as<double>()});
  });
}

void run_here(const ClipValue& k, Context& context) {
  with_float(k.x.dtype, "clip_value", [&]<class T>(T) {
    for_each_pack<T>(stream_of(context), k.x.shape.numel(), packs_fit({k.x.data}),
                     ClipBody<T>{k.x.as<T>(), static_cast<T>(k.limit)});
  });
}

IL_REGISTER_KERNEL(Sgd);
IL_REGISTER_KERNEL(Adam);
IL_REGISTER_KERNEL(ClipValue);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
