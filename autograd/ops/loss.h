// Softmax and its cross-entropy (kernels/loss.h states formulas and shapes).
#pragma once

#include "autograd/var.h"
#include "kernels/loss.h"

namespace innerloop::autograd {

using kernels::LossReduction;

/// Over the last axis.
Var softmax(const Var& logits);

/// loss [T] of logits [T, N, C] against labels i64 [T, N]: the mean or the sum over a task's images.
/// Throws when a label lies outside [0, C).
Var softmax_cross_entropy(const Var& logits, const Tensor& labels, LossReduction reduction);

/// labels as a one-hot tensor of the shape of the logits.
Tensor one_hot(const Tensor& labels, const Shape& logits, DType dtype);

/// Throws when `labels` do not fit the shape of the logits or, on the host, lie outside [0, C).
void check_labels(const Shape& logits, const Tensor& labels);

/// Share of images whose largest logit (ties to the first) is their label's, for each task: [T], float64.
Tensor accuracy(const Tensor& logits, const Tensor& labels);

}  // namespace innerloop::autograd
