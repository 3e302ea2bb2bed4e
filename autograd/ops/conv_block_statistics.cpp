// The conv block with given statistics, in plain ops.
#include "autograd/ops/conv_block.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/per_channel.h"
#include "autograd/ops/pool.h"

namespace innerloop::autograd {

Var conv_block_with_statistics_reference(const Var& x, const Var& w, const Var& gamma, const Var& beta,
                                         const Tensor& mean, const Tensor& rstd, const ConvBlockOptions& options) {
  const auto over_map = [](const Var& v) {
    IL_CHECK(v.shape().rank() == 2, "conv_block: {} per channel; [T, K] is needed", v.shape().to_string());
    return per_channel(v);
  };
  Var z = (conv(x, w, options.conv) - over_map(mean)) * over_map(rstd);
  if (gamma.defined()) z = z * over_map(gamma);
  const Var a = relu(z + over_map(beta));
  return options.pool == Pool::kMax2x2 ? max_pool(a, {}) : a;
}

}  // namespace innerloop::autograd
