// A network's last layer with its loss: linear, softmax cross-entropy and their first derivatives as one kernel, and the tangent
// of those derivatives as another.
//
//   logits = x w + bias,  prob = softmax(logits),  loss[t] = c sum_n -log prob[t,n,label[t,n]],  c = 1/N (mean) or 1 (sum)
//   d = c (prob - onehot),  gx = d w^T,  gw = x^T d,  gbias = sum_n d
// and along (tx, tw, tbias):
//   tlogits = tx w + x tw + tbias,  td = c prob (tlogits - <prob, tlogits>)
//   tgx = td w^T + d tw^T,  tgw = tx^T d + x^T td,  tgbias = sum_n td
//
// Shapes: x, gx, tx [T, N, F]; w, gw, tw [T, F, C]; bias, gbias, tbias [T, C]; prob [T, N, C]; labels i64 [T, N] in [0, C), else
//   the task's loss is NaN; loss [T]; accuracy f64 [T]. Every operand has the T of the others.
// Dtypes: f32 or f64, one throughout. Determinism: the same bits at any number of threads, and for a task alone or beside
//   others. Aliasing: none. Traffic, ideal: operands read once, outputs written once.
//
// compose() is what every target can do: products, sums and kernels/loss.h, one after another.
#pragma once

#include "kernels/loss.h"

namespace innerloop::kernels {

struct HeadLoss {
  static constexpr std::string_view kName = "head_loss";
  LossReduction reduction = LossReduction::kMean;
  ConstView x, w, bias, labels;
  View loss, prob, gx, gw, gbias;
  View accuracy{};  ///< as kernels::Accuracy has it; may be absent (not wanted)
};
inline KernelCost cost_of(const HeadLoss& k) {
  // Three products. A logit: bias 1, shift, exp, sum, quotient, d 2, gbias 1. A sample: logarithm, shift, sum.
  const std::int64_t product = 2 * elements_of(k.x) * k.prob.shape[2];
  return {3 * product + 8 * elements_of(k.prob) + 3 * elements_of(k.labels),
          bytes_of(k.x, k.w, k.bias, k.labels, k.loss, k.prob, k.gx, k.gw, k.gbias, k.accuracy)};
}

/// tx, tw and tbias may each be absent (zero).
struct HeadLossJvp {
  static constexpr std::string_view kName = "head_loss_jvp";
  LossReduction reduction = LossReduction::kMean;
  ConstView x, w, prob, labels;  ///< prob: an output of HeadLoss
  ConstView tx, tw, tbias;
  View tgx, tgw, tgbias;
};
inline KernelCost cost_of(const HeadLossJvp& k) {
  // Two products of each of the three, one where a tangent is absent. A logit: tbias 1, td 5, d again 2, tgbias 1.
  const std::int64_t product = 2 * elements_of(k.x) * k.prob.shape[2];
  const std::int64_t by_x = elements_of(k.tx) > 0 ? 1 : 0, by_w = elements_of(k.tw) > 0 ? 1 : 0;
  return {(by_x + by_w) * product + (1 + by_w) * product + (1 + by_x) * product + 9 * elements_of(k.prob),
          bytes_of(k.x, k.w, k.prob, k.labels, k.tx, k.tw, k.tbias, k.tgx, k.tgw, k.tgbias)};
}

void compose(const HeadLoss& k, Context& context);
void compose(const HeadLossJvp& k, Context& context);

/// Throws, naming the operand, when shapes or dtypes are others than the contract's.
void check(const HeadLoss& k);
void check(const HeadLossJvp& k);

}  // namespace innerloop::kernels
