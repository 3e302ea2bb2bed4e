// Oracles that several cases share: convolution and pooling in plain float64 loops.
#pragma once

#include "autograd/ops/conv.h"
#include "autograd/ops/pool.h"
#include "support/array.h"

namespace innerloop::test {

/// Calls visit(t, n, p, q, k, r, s, c, h, w): every product of a convolution that does not fall into the padding. `c` counts within
/// the group of k; h, w is the input pixel.
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

/// Output shape from the textbook formula.
inline Shape conv_shape(const Shape& x, const Shape& w, const autograd::ConvOptions& o) {
  const auto extent = [](std::int64_t padded, std::int64_t kernel, std::int64_t dilation, std::int64_t stride) {
    std::int64_t count = 0;
    while (count * stride + dilation * (kernel - 1) < padded) ++count;
    return count;
  };
  return {x[0] > w[0] ? x[0] : w[0], x[1], extent(x[2] + o.pad_top + o.pad_bottom, w[1], o.dilation_h, o.stride_h),
          extent(x[3] + o.pad_left + o.pad_right, w[2], o.dilation_w, o.stride_w), w[4]};
}

inline Array conv_oracle(const Array& x, const Array& w, const autograd::ConvOptions& o) {
  Array y(conv_shape(x.shape, w.shape, o));
  for_each_product(x.shape, w.shape, y.shape, o,
                   [&](auto t, auto n, auto p, auto q, auto k, auto r, auto s, auto c, auto row, auto column, auto channel) {
                     y(t, n, p, q, k) += x(task_of(x, t), n, row, column, channel) * w(task_of(w, t), r, s, c, k);
                   });
  return y;
}

/// Flat position within x of window element `at` of output (t, n, p, q, c).
inline double& window_element(Array& x, const autograd::PoolGeometry& g, std::int64_t t, std::int64_t n, std::int64_t p,
                              std::int64_t q, std::int64_t c, std::int64_t at) {
  return x(t, n, p * g.stride_h + at / g.window_w, q * g.stride_w + at % g.window_w, c);
}

inline Shape pool_shape(const Shape& x, const autograd::PoolGeometry& g) {
  std::int64_t p = 0, q = 0;
  while (p * g.stride_h + g.window_h <= x[2]) ++p;
  while (q * g.stride_w + g.window_w <= x[3]) ++q;
  return {x[0], x[1], p, q, x[4]};
}

template <class Visit>
void for_each_output(const Shape& y, Visit visit) {
  for (std::int64_t t = 0; t < y[0]; ++t)
    for (std::int64_t n = 0; n < y[1]; ++n)
      for (std::int64_t p = 0; p < y[2]; ++p)
        for (std::int64_t q = 0; q < y[3]; ++q)
          for (std::int64_t c = 0; c < y[4]; ++c) visit(t, n, p, q, c);
}

}  // namespace innerloop::test
