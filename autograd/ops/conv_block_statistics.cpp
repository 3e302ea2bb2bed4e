// The conv block with given statistics, in plain ops.
#include "autograd/ops/conv_block.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {

Var conv_block_with_statistics_reference(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                                         const Tensor& mean, const Tensor& rstd, const ConvBlockOptions& options) {
  const auto per_channel = [](const Var& v) {
    IL_CHECK(v.shape().rank() == 2, "conv_block: {} per channel; [T, K] is needed", v.shape().to_string());
    return reshape(v, {v.shape()[0], 1, 1, 1, v.shape()[1]});
  };
  Var z = (conv(x, w, options.conv) - per_channel(mean)) * per_channel(rstd);
  if (gamma.defined()) z = z * per_channel(gamma);
  const Var a = relu(z + per_channel(beta));
  return options.pool == Pool::kMax2x2 ? max_pool(a, {}) : a;
}

}  // namespace innerloop::autograd
