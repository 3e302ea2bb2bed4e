#include "autograd/ops/dropout.h"

#include "autograd/ops/elementwise.h"
#include "kernels/elementwise.h"
#include "tensor/context.h"

namespace innerloop::autograd {

Var dropout(const Var& x, double rate, const DropoutAddress& address) {
  IL_CHECK(rate >= 0 && rate < 1, "dropout: rate {} for the shape {}; it must lie in [0, 1)", rate,
           x.shape().to_string());
  if (rate == 0) return x;
  Tensor mask = Tensor::empty(x.shape(), x.dtype());
  kernels::run(kernels::DropoutMask{rate, address.seed, address.step, address.task, mask.mutable_view()},
               Context::current());
  return x * Var(mask);
}

}  // namespace innerloop::autograd
