// Softmax cross-entropy from logits, with its gradient and the tangent of its gradient.
//
//   prob = softmax(logits),  loss[t] = c sum_n -log prob[t,n,label[t,n]],  c = 1/N (mean) or 1 (sum)
//   glogits = g[t] c (prob - onehot)
//   tglogits = g[t] c prob (tlogits - <prob, tlogits>) + tg[t] c (prob - onehot)
//
// Shapes: logits, prob, glogits and tangents [T, N, C]; labels i64 [T, N] in [0, C) (the caller has checked them);
//   loss, g, tg [T]. Dtypes: f32 or f64. The logarithm is taken of the shifted sum, so large logits stay finite.
// Determinism: the same bits at any number of threads; sums over n run in order. Aliasing: none.
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

struct SoftmaxCrossEntropyGrad {
  static constexpr std::string_view kName = "softmax_cross_entropy_grad";
  LossReduction reduction = LossReduction::kMean;
  ConstView prob, labels, g;
  View glogits;
};

struct SoftmaxCrossEntropyGradJvp {
  static constexpr std::string_view kName = "softmax_cross_entropy_grad_jvp";
  LossReduction reduction = LossReduction::kMean;
  ConstView prob, labels, g, tlogits, tg;  ///< tlogits and tg may each be absent (zero)
  View tglogits;
};

}  // namespace innerloop::kernels
