// The inner loop: K steps of SGD on a task's support set.
//
//   theta_{k+1} = theta_k - rate * grad L_support(theta_k)
#pragma once

#include <vector>

#include "autograd/ops/loss.h"
#include "nn/conv_net.h"

namespace innerloop::meta {

using autograd::LossReduction;

struct InnerOptions {
  int steps = 1;
  double rate = 0.01;
  LossReduction loss = LossReduction::kMean;  ///< over the images of one task
};

/// Parameters adapted on support images [T, S, H, W, C] with labels [T, S]: [T, ...], plain values. `params` are [1,
/// ...] (shared by all tasks) or [T, ...]. Appends the support losses before each step, [T] each, to `losses` when it
/// is given.
std::vector<Tensor> adapt(const nn::ConvNet& net, const std::vector<Tensor>& params, const Tensor& support_x,
                          const Tensor& support_y, const InnerOptions& options, std::vector<Tensor>* losses = nullptr);

/// `params` [1, ...] repeated for each of `tasks` tasks; no copy for one task.
std::vector<Tensor> for_each_task(const std::vector<Tensor>& params, std::int64_t tasks);

}  // namespace innerloop::meta
