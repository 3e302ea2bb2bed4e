// What the three convolutions ask of their operands, and the sizes that follow from them.
#pragma once

#include <string_view>

#include "kernels/conv.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// The letters of kernels/conv.h.
struct ConvSizes {
  std::int64_t tasks = 1;  ///< the largest task extent of any operand
  std::int64_t images = 0, h = 0, w = 0, c = 0;
  std::int64_t r = 0, s = 0, k = 0;
  std::int64_t p = 0, q = 0;
  std::int64_t groups = 1;

  std::int64_t group_c() const { return c / groups; }
  std::int64_t group_k() const { return k / groups; }
  std::int64_t x_size() const { return images * h * w * c; }
  std::int64_t y_size() const { return images * p * q * k; }
  std::int64_t w_size() const { return r * s * group_c() * k; }
};

/// Checks one triple of operands in the roles of x, w and y, whichever of them is the output.
inline ConvSizes conv_sizes(std::string_view op, const ConvGeometry& geometry, const ConstView& x, const ConstView& w,
                            const ConstView& y) {
  IL_CHECK(x.shape.rank() == 5 && w.shape.rank() == 5 && y.shape.rank() == 5,
           "{}: image {}, weight {} and output {} must have rank 5: [T,N,H,W,C], [T,R,S,C/groups,K], [T,N,P,Q,K]", op,
           x.shape.to_string(), w.shape.to_string(), y.shape.to_string());
  IL_CHECK((x.dtype == DType::kF32 || x.dtype == DType::kF64) && w.dtype == x.dtype && y.dtype == x.dtype,
           "{}: image {}, weight {} and output {} must all be f32 or all f64; convert them first", op,
           name_of(x.dtype), name_of(w.dtype), name_of(y.dtype));
  IL_CHECK(geometry.stride_h > 0 && geometry.stride_w > 0 && geometry.dilation_h > 0 && geometry.dilation_w > 0 &&
               geometry.groups > 0 && geometry.pad_top >= 0 && geometry.pad_left >= 0,
           "{}: stride {}x{}, dilation {}x{}, groups {} must be positive and padding {}, {} not negative", op,
           geometry.stride_h, geometry.stride_w, geometry.dilation_h, geometry.dilation_w, geometry.groups,
           geometry.pad_top, geometry.pad_left);
  ConvSizes z;
  z.images = x.shape[1], z.h = x.shape[2], z.w = x.shape[3], z.c = x.shape[4];
  z.r = w.shape[1], z.s = w.shape[2], z.k = w.shape[4];
  z.p = y.shape[2], z.q = y.shape[3];
  z.groups = geometry.groups;
  z.tasks = x.shape[0];
  for (const std::int64_t t : {w.shape[0], y.shape[0]}) z.tasks = z.tasks == 1 ? t : z.tasks;
  IL_CHECK(z.images == y.shape[1] && z.k == y.shape[4] && z.c % z.groups == 0 && z.k % z.groups == 0 &&
               w.shape[3] == z.c / z.groups,
           "{}: image {}, weight {} and output {} do not fit each other at groups = {}", op, x.shape.to_string(),
           w.shape.to_string(), y.shape.to_string(), z.groups);
  for (const std::int64_t t : {x.shape[0], w.shape[0], y.shape[0]}) {
    IL_CHECK(t == z.tasks || t == 1, "{}: image {}, weight {} and output {}: a task extent is neither {} nor 1", op,
             x.shape.to_string(), w.shape.to_string(), y.shape.to_string(), z.tasks);
  }
  return z;
}

/// The sizes of a kernel with one or two pairs of operands; image(i), weight(i) and output(i) give pair i's views.
template <class Image, class Weight, class Output>
ConvSizes conv_sizes(std::string_view op, const ConvGeometry& geometry, int pairs, const Image& image,
                     const Weight& weight, const Output& output) {
  ConvSizes z = conv_sizes(op, geometry, image(0), weight(0), output(0));
  if (pairs == 2) {
    const ConvSizes second = conv_sizes(op, geometry, image(1), weight(1), output(1));
    IL_CHECK(second.images == z.images && second.h == z.h && second.w == z.w && second.c == z.c && second.r == z.r &&
                 second.s == z.s && second.k == z.k && second.p == z.p && second.q == z.q &&
                 (second.tasks == z.tasks || second.tasks == 1 || z.tasks == 1),
             "{}: the second pair of operands must have the shapes of the first", op);
    if (z.tasks == 1) z.tasks = second.tasks;
  }
  return z;
}

/// 1 or 2; throws when half of the second pair is missing.
inline int count_pairs(std::string_view op, const ConstView (&a)[2], const ConstView (&b)[2]) {
  // An empty tensor may have no address: what counts as absent is a view without a shape.
  const bool has_a = a[1].shape.rank() > 0, has_b = b[1].shape.rank() > 0;
  IL_CHECK(has_a == has_b, "{}: one operand of the second pair is missing; give both or neither", op);
  return has_a ? 2 : 1;
}

/// Elements from one task to the next: 0 when one serves all.
inline std::int64_t task_stride(const ConstView& v) { return v.shape[0] == 1 ? 0 : v.shape.numel() / v.shape[0]; }

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
