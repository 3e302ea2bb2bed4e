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
      const std::int64_t label = k.labels.as<std::int64_t>()[row];
      const bool known = label >= 0 && label < e.classes;
      loss += log_of(sum) - (known ? static_cast<double>(x[label] - high) : __builtin_nan(""));
    }
    k.loss.as<T>()[t] = static_cast<T>(e.c * loss);
  });
}

template <class T>
void grad(const SoftmaxCrossEntropyGrad& k, Context& context) {
  const Extents e = extents_of(k.prob, k.reduction);
  context.threads().parallel_for(e.tasks, [&](std::int64_t t) {
    const T scale = static_cast<T>(e.c * (k.g ? static_cast<double>(k.g.as<T>()[t]) : 1.0));
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
    const T scale = static_cast<T>(e.c * (k.g ? static_cast<double>(k.g.as<T>()[t]) : 1.0));
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

template <class T>
void one_hot(const OneHot& k, Context& context) {
  const std::int64_t rows = k.labels.shape.numel(), classes = k.out.shape[-1];
  const std::int64_t* labels = k.labels.as<std::int64_t>();
  T* out = k.out.as<T>();
  parallel_chunks(context, rows, larger(1, kChunkElements / larger(1, classes)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const std::int64_t label = labels[row];
                      const T other = label >= 0 && label < classes ? T{0} : static_cast<T>(__builtin_nan(""));
                      for (std::int64_t c = 0; c < classes; ++c) out[row * classes + c] = c == label ? T{1} : other;
                    }
                  });
}

/// The fraction of task t's rows whose first largest logit is the label's.
template <class T>
double accuracy_of(const Accuracy& k, std::int64_t t) {
  const std::int64_t samples = k.logits.shape[1], classes = k.logits.shape[2];
  std::int64_t hits = 0;
  for (std::int64_t row = t * samples; row < (t + 1) * samples; ++row) {
    const T* x = k.logits.as<T>() + row * classes;
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < classes; ++c)
      if (x[c] > x[best]) best = c;
    hits += best == k.labels.as<std::int64_t>()[row];
  }
  return static_cast<double>(hits) / static_cast<double>(samples);
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

void run_here(const OneHot& k, Context& context) {
  IL_CHECK(k.labels.dtype == DType::kI64 && k.out.shape == k.labels.shape.append(k.out.shape[-1]),
           "one_hot: labels {} ({}) and out {}; i64 [T, N] and [T, N, C] are needed", k.labels.shape.to_string(),
           name_of(k.labels.dtype), k.out.shape.to_string());
  with_float(k.out.dtype, "one_hot", [&](auto tag) { one_hot<decltype(tag)>(k, context); });
}

void run_here(const Accuracy& k, Context& context) {
  const Shape& s = k.logits.shape;
  IL_CHECK(s.rank() == 3, "accuracy: {} is not [T, N, C]", s.to_string());
  with_float(k.logits.dtype, "accuracy", [&](auto in) {
    with_float(k.accuracy.dtype, "accuracy", [&](auto out) {
      using Out = decltype(out);
      context.threads().parallel_for(s[0], [&](std::int64_t t) {
        k.accuracy.template as<Out>()[t] = static_cast<Out>(accuracy_of<decltype(in)>(k, t));
      });
    });
  });
}

IL_REGISTER_KERNEL(SoftmaxCrossEntropy);
IL_REGISTER_KERNEL(SoftmaxCrossEntropyGrad);
IL_REGISTER_KERNEL(SoftmaxCrossEntropyGradJvp);
IL_REGISTER_KERNEL(OneHot);
IL_REGISTER_KERNEL(Accuracy);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
