// Batch norm without a ReLU behind it, and AlexNet's response norm: compositions of plain ops, with every derivative on
// every device. (The conv block of the few-shot network has its own fused kernels: autograd/ops/conv_block.h.)
#pragma once

#include <cstdint>

#include "autograd/var.h"

namespace innerloop::autograd {

struct BatchNormResult {
  Var y;
  Var mean, variance;  ///< [T, K] over N, H and W of each task; the variance is the biased one
};

/// y = gamma (x - mean)/sqrt(variance + epsilon) + beta for x [T, N, H, W, K]; gamma, beta [T|1, K]. Source: Ioffe and
/// Szegedy, "Batch normalization", ICML 2015, algorithm 1.
BatchNormResult batch_norm(const Var& x, const Var& gamma, const Var& beta, double epsilon);

/// The same by given statistics mean, variance [T|1, K]: what an image gets does not depend on its neighbours.
Var batch_norm_with(const Var& x, const Var& mean, const Var& variance, const Var& gamma, const Var& beta,
                    double epsilon);

struct ResponseNormOptions {
  std::int64_t channels = 5;  ///< n, of the window
  double bias = 2, scale = 1e-4, power = 0.75;
};

/// y[c] = x[c] / (bias + scale sum_j x[j]^2)^power, j the channels within n/2 (floor) of c; x [..., C]. Source:
/// Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012,
/// section 3.3.
Var response_norm(const Var& x, const ResponseNormOptions& options);

}  // namespace innerloop::autograd
