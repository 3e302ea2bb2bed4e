// Small versions of the four families of networks that the presets configure, and a plain oracle of all of them.
#pragma once

#include <string>
#include <vector>

#include "autograd/transforms.h"
#include "nn/conv_net.h"
#include "support/array.h"

namespace innerloop::test {

using autograd::Var;
using autograd::Vars;

inline Vars constants(const std::vector<Tensor>& x) { return Vars(x.begin(), x.end()); }

enum class LossKind { kMean, kSum };

struct Family {
  std::string name;
  nn::ConvNetOptions options;
  std::int64_t images;  ///< N, of each task
  LossKind loss = LossKind::kMean;
};

/// paper, released, omniglot and miniimagenet: their blocks, heads, scales, channels and losses at small sizes.
std::vector<Family> families();

/// Everything that a check of a family needs, in float64 and away from the symmetric start: scales of either sign,
/// shifts and a bias that are not zero.
struct Instance {
  std::vector<Tensor> params;  ///< [P, ...], P = 1 (shared) or T
  Tensor images;               ///< [T, N, H, W, C]
  Tensor labels;               ///< i64 [T, N]
};
Instance instance(const Family& family, std::int64_t param_tasks, std::int64_t tasks, std::uint32_t seed);

struct NetOracle {
  Array logits;
  std::vector<int> decisions;  ///< of all ReLUs and maxima
};

/// The network in plain float64 loops, with padding after TensorFlow's own statement of SAME.
NetOracle net_oracle(const nn::ConvNetOptions& options, const Arrays& params, const Array& images);

/// {loss summed over tasks} as a function of the parameters.
std::function<Vars(const Vars&)> loss_of(const nn::ConvNet& net, const Instance& instance, LossKind kind);

}  // namespace innerloop::test
