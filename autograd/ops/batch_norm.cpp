#include "autograd/ops/batch_norm.h"

#include <algorithm>
#include <vector>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/per_channel.h"
#include "autograd/ops/reduce.h"

namespace innerloop::autograd {
namespace {

void check_norm(const Var& x, const Var& v, const char* what) {
  const Shape &s = x.shape(), &k = v.shape();
  IL_CHECK(s.rank() == 5, "batch_norm: shape {}; [T, N, H, W, K] is needed", s.to_string());
  IL_CHECK(k.rank() == 2 && k[1] == s[4] && (k[0] == 1 || k[0] == s[0]),
           "batch_norm: {} {} for the shape {}; [T, K] is needed", what, k.to_string(), s.to_string());
}

Var flat(const Var& v) { return reshape(v, {v.shape()[0], v.shape()[4]}); }

}  // namespace

BatchNormResult batch_norm(const Var& x, const Var& gamma, const Var& beta, double epsilon) {
  check_norm(x, gamma, "gamma");
  check_norm(x, beta, "beta");
  const Var center = mean(x, {1, 2, 3});
  const Var away = x - center;
  const Var variance = mean(square(away), {1, 2, 3});
  const Var slope = per_channel(gamma) * rsqrt(affine(variance, 1, epsilon));
  return {away * slope + per_channel(beta), flat(center), flat(variance)};
}

Var batch_norm_with(const Var& x, const Var& mean, const Var& variance, const Var& gamma, const Var& beta,
                    double epsilon) {
  check_norm(x, mean, "mean");
  check_norm(x, variance, "variance");
  check_norm(x, gamma, "gamma");
  check_norm(x, beta, "beta");
  const Var slope = gamma * rsqrt(affine(variance, 1, epsilon));
  return x * per_channel(slope) + per_channel(beta - mean * slope);
}

Var response_norm(const Var& x, const ResponseNormOptions& o) {
  const Shape& s = x.shape();
  IL_CHECK(s.rank() >= 1 && s[-1] >= 1, "response_norm: shape {} has no channels", s.to_string());
  IL_CHECK(o.channels >= 1 && o.bias > 0,
           "response_norm: a window of {} channels and a bias of {}; both must be above 0", o.channels, o.bias);
  // The sum over the window is a product with a band of ones: its adjoint is the same band, and it runs on every
  // device.
  const std::int64_t c = s[-1], reach = o.channels / 2;
  std::vector<double> band(static_cast<std::size_t>(c * c), 0);
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = std::max<std::int64_t>(0, i - reach); j <= std::min(c - 1, i + reach); ++j)
      band[static_cast<std::size_t>(i * c + j)] = 1;
  const Var window = Tensor::from({1, c, c}, band).to(x.dtype());
  const Var energy = matmul(reshape(square(x), {1, s.numel() / c, c}), window);
  const Var factor = exp(scale(log(affine(energy, o.scale, o.bias)), -o.power));
  return x * reshape(factor, s);
}

}  // namespace innerloop::autograd
