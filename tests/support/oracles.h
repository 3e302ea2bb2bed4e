// Oracles that several tests share: convolution, pooling and the conv block in plain float64 loops.
#pragma once

#include <vector>

#include "autograd/ops/conv.h"
#include "autograd/ops/conv_block.h"
#include "autograd/ops/pool.h"
#include "support/array.h"

namespace innerloop::test {

/// Calls visit(t, n, p, q, k, r, s, c, row, column, channel): every product of a convolution that does not fall into
/// the padding. c counts within the group of k; row, column, channel are the input's.
template <class Visit>
void for_each_product(const Shape& x, const Shape& w, const Shape& y, const autograd::ConvOptions& o, Visit visit) {
  for (std::int64_t t = 0; t < y[0]; ++t)
    for (std::int64_t n = 0; n < y[1]; ++n)
      for (std::int64_t p = 0; p < y[2]; ++p)
        for (std::int64_t q = 0; q < y[3]; ++q)
          for (std::int64_t k = 0; k < y[4]; ++k)
            for (std::int64_t r = 0; r < w[1]; ++r)
              for (std::int64_t s = 0; s < w[2]; ++s)
                for (std::int64_t c = 0; c < w[3]; ++c) {
                  const std::int64_t row = p * o.stride_h - o.pad_top + r * o.dilation_h;
                  const std::int64_t column = q * o.stride_w - o.pad_left + s * o.dilation_w;
                  if (row < 0 || row >= x[2] || column < 0 || column >= x[3]) continue;
                  const std::int64_t group = k / (y[4] / o.groups);
                  visit(t, n, p, q, k, r, s, c, row, column, group * w[3] + c);
                }
}

/// Output shape by counting where a window fits.
Shape conv_shape(const Shape& x, const Shape& w, const autograd::ConvOptions& o);
Array conv_oracle(const Array& x, const Array& w, const autograd::ConvOptions& o);

/// Element `at` (row-major) of the window of output (t, n, p, q, c).
inline double& window_element(Array& x, const autograd::PoolGeometry& g, std::int64_t t, std::int64_t n, std::int64_t p,
                              std::int64_t q, std::int64_t c, std::int64_t at) {
  return x(t, n, p * g.stride_h + at / g.window_w, q * g.stride_w + at % g.window_w, c);
}

Shape pool_shape(const Shape& x, const autograd::PoolGeometry& g);

template <class Visit>
void for_each_output(const Shape& y, Visit visit) {
  for (std::int64_t t = 0; t < y[0]; ++t)
    for (std::int64_t n = 0; n < y[1]; ++n)
      for (std::int64_t p = 0; p < y[2]; ++p)
        for (std::int64_t q = 0; q < y[3]; ++q)
          for (std::int64_t c = 0; c < y[4]; ++c) visit(t, n, p, q, c);
}

struct BlockOracle {
  Array p, mean, rstd;
  std::vector<int> decisions;  ///< of each output: the window position of the maximum, or -1 where it is not above zero
  double margin = 0;           ///< smallest distance of a decision from another one
};

/// Convolution, batch norm with two-pass statistics, ReLU, and the pool; gamma may be null.
BlockOracle block_oracle(const Array& x, const Array& w, const Array* gamma, const Array& beta,
                         const autograd::ConvBlockOptions& options);

}  // namespace innerloop::test
