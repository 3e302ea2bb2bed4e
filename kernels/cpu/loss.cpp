// Softmax cross-entropy. A row of logits is a handful of classes, so rows are scalar code; tasks run in parallel.
#include "kernels/loss.h"

#include "kernels/cpu/dispatch.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

struct Extents {
  std::int64_t tasks, samples, classes;
  double c;  ///< the weight of one sample in its task's loss
};

IL_INLINE Extents extents_of(const ConstView& logits, LossReduction reduction) {
  const Shape& s = logits.shape;
  IL_CHECK(s.rank() == 3, "softmax_cross_entropy: {} is not [T, N, C]", s.to_string());
  const double c = reduction == LossReduction::kSum || s[1] == 0 ? 1.0 : 1.0 / static_cast<double>(s[1]);
  return {s[0], s[1], s[2], c};
}

template <class T>
void forward(const SoftmaxCrossEntropy& k, Context& context) {
  const Extents e = extents_of(k.logits, k.reduction);
  context.threads().parallel_for(e.tasks, [&](std::int64_t t) {
    double loss = 0;
    for (std::int64_t n = 0; n < e.samples; ++n) {
      const std::int64_t row = t * e.samples + n;
      const T* x = k.logits.as<T>() + row * e.classes;
      T* prob = k.prob.as<T>() + row * e.classes;
      T high = x[0];
      for (std::int64_t c = 1; c < e.classes; ++c) high = x[c] > high ? x[c] : high;
      double sum = 0;
      for (std::int64_t c = 0; c < e.classes; ++c) {
        prob[c] = exp_of(x[c] - high);
        sum += static_cast<double>(prob[c]);
      }
      for (std::int64_t c = 0; c < e.classes; ++c) prob[c] = static_cast<T>(static_cast<double>(prob[c]) / sum);
      const T shifted = x[k.labels.as<std::int64_t>()[row]] - high;
      loss += log_of(sum) - static_cast<double>(shifted);
    }
    k.loss.as<T>()[t] = static_cast<T>(e.c * loss);
  });
}

template <class T>
void grad(const SoftmaxCrossEntropyGrad& k, Context& context) {
  const Extents e = extents_of(k.prob, k.reduction);
  context.threads().parallel_for(e.tasks, [&](std::int64_t t) {
    const T scale = static_cast<T>(e.c * static_cast<double>(k.g.as<T>()[t]));
    for (std::int64_t n = 0; n < e.samples; ++n) {
      const std::int64_t row = t * e.samples + n, label = k.labels.as<std::int64_t>()[row];
      const T* prob = k.prob.as<T>() + row * e.classes;
      T* out = k.glogits.as<T>() + row * e.classes;
      for (std::int64_t c = 0; c < e.classes; ++c) out[c] = scale * (c == label ? prob[c] - 1 : prob[c]);
    }
  });
}

template <class T>
void grad_jvp(const SoftmaxCrossEntropyGradJvp& k, Context& context) {
  const Extents e = extents_of(k.prob, k.reduction);
  context.threads().parallel_for(e.tasks, [&](std::int64_t t) {
    const T scale = static_cast<T>(e.c * static_cast<double>(k.g.as<T>()[t]));
    const T tscale = k.tg ? static_cast<T>(e.c * static_cast<double>(k.tg.as<T>()[t])) : T{0};
    for (std::int64_t n = 0; n < e.samples; ++n) {
      const std::int64_t row = t * e.samples + n, label = k.labels.as<std::int64_t>()[row];
      const T* prob = k.prob.as<T>() + row * e.classes;
      const T* tx = k.tlogits ? k.tlogits.as<T>() + row * e.classes : nullptr;
      T* out = k.tglogits.as<T>() + row * e.classes;
      double along = 0;  // <prob, tlogits>
      if (tx != nullptr)
        for (std::int64_t c = 0; c < e.classes; ++c) along += static_cast<double>(prob[c]) * static_cast<double>(tx[c]);
      for (std::int64_t c = 0; c < e.classes; ++c) {
        const T tprob = tx == nullptr ? T{0} : prob[c] * static_cast<T>(static_cast<double>(tx[c]) - along);
        out[c] = scale * tprob + tscale * (c == label ? prob[c] - 1 : prob[c]);
      }
    }
  });
}

void run_here(const SoftmaxCrossEntropy& k, Context& context) {
  with_float(k.logits.dtype, "softmax_cross_entropy", [&](auto tag) { forward<decltype(tag)>(k, context); });
}

void run_here(const SoftmaxCrossEntropyGrad& k, Context& context) {
  with_float(k.prob.dtype, "softmax_cross_entropy_grad", [&](auto tag) { grad<decltype(tag)>(k, context); });
}

void run_here(const SoftmaxCrossEntropyGradJvp& k, Context& context) {
  with_float(k.prob.dtype, "softmax_cross_entropy_grad_jvp", [&](auto tag) { grad_jvp<decltype(tag)>(k, context); });
}

IL_REGISTER_KERNEL(SoftmaxCrossEntropy);
IL_REGISTER_KERNEL(SoftmaxCrossEntropyGrad);
IL_REGISTER_KERNEL(SoftmaxCrossEntropyGradJvp);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
