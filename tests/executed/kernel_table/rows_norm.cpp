// The norm family. What is needed: the sums want every element of an operand before the first output, so operands of
// the size of y are read twice, as are the pooled ones; outputs are written once; lines of channels are left out of
// account.
#include "kernels/norm.h"
#include "layers.h"
#include "traffic_row.h"

namespace innerloop::executed {
namespace {

/// Operands and outputs of a block with a 2x2 pool.
struct Block {
  explicit Block(const Shape& shape)
      : y(Tensor::full(shape, DType::kF32, 1)),
        ty(Tensor::full(shape, DType::kF32, 1)),
        gp(Tensor::full(pooled(shape), DType::kF32, 1)),
        p(Tensor::empty(pooled(shape), DType::kF32)),
        gy(Tensor::empty(shape, DType::kF32)),
        tgy(Tensor::empty(shape, DType::kF32)),
        choice(Tensor::empty(pooled(shape), DType::kU8)) {
    for (Tensor* t : {&gamma, &beta, &mean, &rstd, &ggamma, &gbeta, &tmean, &trstd, &tggamma, &tgbeta})
      *t = Tensor::full({shape[0], shape[4]}, DType::kF32, 1);
  }
  static Shape pooled(const Shape& s) { return {s[0], s[1], s[2] / 2, s[3] / 2, s[4]}; }

  kernels::NormReluPoolForward forward() {
    kernels::NormReluPoolForward k;
    k.y = y.view(), k.gamma = gamma.view(), k.beta = beta.view();
    k.mean = mean.mutable_view(), k.rstd = rstd.mutable_view();
    k.p = p.mutable_view(), k.choice = choice.mutable_view();
    return k;
  }
  kernels::NormReluPoolApply apply() {
    kernels::NormReluPoolApply k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view(), k.beta = beta.view();
    k.p = p.mutable_view(), k.choice = choice.mutable_view();
    return k;
  }
  kernels::NormReluPoolGrad grad() {
    kernels::NormReluPoolGrad k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view();
    k.choice = choice.view(), k.gp = gp.view();
    k.gy = gy.mutable_view(), k.ggamma = ggamma.mutable_view(), k.gbeta = gbeta.mutable_view();
    return k;
  }
  kernels::NormReluPoolJvp jvp() {
    kernels::NormReluPoolJvp k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view(), k.choice = choice.view();
    k.ty = ty.view(), k.tgamma = gamma.view(), k.tbeta = beta.view();
    k.tp = p.mutable_view(), k.tmean = tmean.mutable_view(), k.trstd = trstd.mutable_view();
    return k;
  }
  kernels::NormReluPoolGradJvp grad_jvp() {
    kernels::NormReluPoolGradJvp k;
    k.y = y.view(), k.mean = mean.view(), k.rstd = rstd.view(), k.gamma = gamma.view(), k.choice = choice.view();
    k.gp = gp.view(), k.ggamma = ggamma.view(), k.gbeta = gbeta.view(), k.ty = ty.view(), k.tmean = tmean.view();
    k.trstd = trstd.view(), k.tgamma = gamma.view(), k.tgp = gp.view();
    k.gy = gy.mutable_view(), k.tgy = tgy.mutable_view();
    k.tggamma = tggamma.mutable_view(), k.tgbeta = tgbeta.mutable_view();
    return k;
  }

  Tensor y, ty, gp, p, gy, tgy, choice;
  Tensor gamma, beta, mean, rstd, ggamma, gbeta, tmean, trstd, tggamma, tgbeta;
};

}  // namespace

void add_norms(TrafficTable& table) {
  for (const Layer& layer : kLayers) {
    Block b(layer.y());
    const std::string shape = layer.block_text();
    const std::uint64_t y = bytes({&b.y}), p = bytes({&b.p}), choice = bytes({&b.choice});
    table.add("norm_relu_pool", shape, 2 * y + p + choice, b.forward());
    table.add("norm_relu_pool_apply", shape, y + p + choice, b.apply());
    table.add("norm_relu_pool_grad", shape, 2 * (y + p + choice) + y, b.grad());
    table.add("norm_relu_pool_jvp", shape, 2 * 2 * y + choice + p, b.jvp());
    table.add("norm_relu_pool_grad_jvp", shape, 2 * (2 * y + 2 * p + choice) + 2 * y, b.grad_jvp());
  }
}

}  // namespace innerloop::executed
