// Softmax cross-entropy from logits, with its gradient and the tangent of its gradient; one-hot labels; accuracy.
//
//   prob = softmax(logits),  loss[t] = c sum_n -log prob[t,n,label[t,n]],  c = 1/N (mean) or 1 (sum)
//   glogits = g[t] c (prob - onehot)
//   tglogits = g[t] c prob (tlogits - <prob, tlogits>) + tg[t] c (prob - onehot)
//
// Shapes: logits, prob, glogits and tangents [T, N, C]; labels i64 [T, N] in [0, C), else the task's loss is NaN;
//   loss, g, tg [T]; g may be absent (one). Dtypes: f32 or f64. The logarithm is taken of the shifted sum, so large logits stay finite.
// Determinism: the same bits at any number of threads; sums over n run in float64 and in a fixed order. Aliasing: none.
#pragma once

#include "kernels/kernel.h"

namespace innerloop::kernels {

enum class LossReduction : std::uint8_t { kMean, kSum };

struct SoftmaxCrossEntropy {
  static constexpr std::string_view kName = "softmax_cross_entropy";
  LossReduction reduction = LossReduction::kMean;
  ConstView logits, labels;
  View loss, prob;
};
inline KernelCost cost_of(const SoftmaxCrossEntropy& k) {
  // A logit: shift, exp, sum, quotient. A sample: logarithm, shift, sum.
  return {4 * elements_of(k.logits) + 3 * elements_of(k.labels), bytes_of(k.logits, k.labels, k.loss, k.prob)};
}

struct SoftmaxCrossEntropyGrad {
  static constexpr std::string_view kName = "softmax_cross_entropy_grad";
  LossReduction reduction = LossReduction::kMean;
  ConstView prob, labels, g;
  View glogits;
};
inline KernelCost cost_of(const SoftmaxCrossEntropyGrad& k) {
  return {2 * elements_of(k.prob), bytes_of(k.prob, k.labels, k.g, k.glogits)};
}

struct SoftmaxCrossEntropyGradJvp {
  static constexpr std::string_view kName = "softmax_cross_entropy_grad_jvp";
  LossReduction reduction = LossReduction::kMean;
  ConstView prob, labels, g, tlogits, tg;  ///< tlogits and tg may each be absent (zero)
  View tglogits;
};
inline KernelCost cost_of(const SoftmaxCrossEntropyGradJvp& k) {
  const std::int64_t a_logit = (elements_of(k.tlogits) > 0 ? 5 : 0) + (elements_of(k.tg) > 0 ? 3 : 0);
  return {a_logit * elements_of(k.prob), bytes_of(k.prob, k.labels, k.g, k.tlogits, k.tg, k.tglogits)};
}

/// out[t,n,c] = c == labels[t,n] ? 1 : 0. A label outside [0, C) gives a row of NaN, which a finite check then names.
/// labels i64 [T, N]; out f32 or f64 [T, N, C].
struct OneHot {
  static constexpr std::string_view kName = "one_hot";
  ConstView labels;
  View out;
};
inline KernelCost cost_of(const OneHot& k) {
  return {0, bytes_of(k.labels, k.out)};
}

/// accuracy[t] = (samples whose first largest logit is the label's) / N; NaN where N = 0. A NaN logit is larger than
/// nothing, and nothing is larger than a NaN in class 0. logits f32 or f64 [T, N, C], labels i64 [T, N]; accuracy [T], f32
/// or f64.
struct Accuracy {
  static constexpr std::string_view kName = "accuracy";
  ConstView logits, labels;
  View accuracy;
};
inline KernelCost cost_of(const Accuracy& k) {
  return {0, bytes_of(k.logits, k.labels, k.accuracy)};
}

}  // namespace innerloop::kernels
