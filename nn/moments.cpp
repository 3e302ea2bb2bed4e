#include "autograd/op.h"
#include "autograd/ops/elementwise.h"
#include "nn/classifier.h"

namespace innerloop::nn {

NormMoments updated_moments(const NormMoments& running, const NormMoments& batch, double momentum) {
  IL_CHECK(running.mean.size() == batch.mean.size() && batch.values.size() == batch.mean.size(),
           "batch norm: statistics of {} norms for {}", batch.mean.size(), running.mean.size());
  autograd::RecordScope off(false);
  NormMoments next;
  for (std::size_t i = 0; i < running.mean.size(); ++i) {
    const auto m = static_cast<double>(batch.values[i]);
    const double unbiased = m > 1 ? m / (m - 1) : 1;
    const auto blend = [&](const Tensor& old, const Tensor& now, double factor) {
      return (autograd::scale(old, momentum) + autograd::scale(now, (1 - momentum) * factor)).value();
    };
    next.mean.push_back(blend(running.mean[i], batch.mean[i], 1));
    next.variance.push_back(blend(running.variance[i], batch.variance[i], unbiased));
  }
  return next;
}

}  // namespace innerloop::nn
