#include "kernels/cuda/cudnn/conv_problem.h"

#include <algorithm>

namespace innerloop::kernels::cudnn {
namespace {

/// Padding after the last row (or column) such that exactly `out` outputs fit.
std::int64_t pad_after(const char* axis, std::int64_t in, std::int64_t out, std::int64_t filter, std::int64_t stride,
                       std::int64_t dilation, std::int64_t before) {
  const std::int64_t extent = (filter - 1) * dilation + 1;
  // Negative where the last rows are never read, which a stride leaves over quite normally.
  const std::int64_t after = std::max<std::int64_t>((out - 1) * stride + extent - in - before, 0);
  const std::int64_t fitting = (in + before + after - extent) / stride + 1;
  IL_CHECK(in + before + after >= extent && fitting == out,
           "cudnn: {} {} with {} before, filter {}, stride {}, dilation {} has {} outputs, {} asked for: cuDNN cannot "
           "leave outputs out; ask for all of them",
           axis, in, before, filter, stride, dilation, fitting, out);
  return after;
}

}  // namespace

std::string_view name_of(ConvDirection direction) {
  switch (direction) {
    case ConvDirection::kForward:
      return "forward";
    case ConvDirection::kInputGrad:
      return "input grad";
    case ConvDirection::kWeightGrad:
      return "weight grad";
  }
  return "?";
}

ConvProblem conv_problem(ConvDirection direction, DType dtype, const ConvGeometry& geometry, std::int64_t n,
                         std::int64_t h, std::int64_t w, std::int64_t c, std::int64_t k, std::int64_t r, std::int64_t s,
                         std::int64_t p, std::int64_t q) {
  const ConvGeometry& g = geometry;
  IL_CHECK(is_floating(dtype), "cudnn: convolution of {}: f32 and f64 are what there is", innerloop::name_of(dtype));
  IL_CHECK(std::min({n, h, w, c, k, r, s, p, q}) > 0,
           "cudnn: convolution of [{}, {}, {}, {}] by {} filters of {}x{} to {}x{}: every size must be positive", n, h,
           w, c, k, r, s, p, q);
  IL_CHECK(
      std::min({g.stride_h, g.stride_w, g.dilation_h, g.dilation_w, g.groups}) > 0 &&
          std::min(g.pad_top, g.pad_left) >= 0 && c % g.groups == 0 && k % g.groups == 0,
      "cudnn: stride {}x{}, dilation {}x{} and groups {} must be positive, padding {}, {} not negative, and groups "
      "must divide the channels {} and {}",
      g.stride_h, g.stride_w, g.dilation_h, g.dilation_w, g.groups, g.pad_top, g.pad_left, c, k);
  ConvProblem z{.direction = direction,
                .dtype = dtype,
                .n = n,
                .h = h,
                .w = w,
                .c = c,
                .k = k,
                .r = r,
                .s = s,
                .p = p,
                .q = q,
                .stride_h = g.stride_h,
                .stride_w = g.stride_w,
                .pad_top = g.pad_top,
                .pad_left = g.pad_left,
                .dilation_h = g.dilation_h,
                .dilation_w = g.dilation_w,
                .groups = g.groups};
  z.pad_bottom = pad_after("height", h, p, r, g.stride_h, g.dilation_h, g.pad_top);
  z.pad_right = pad_after("width", w, q, s, g.stride_w, g.dilation_w, g.pad_left);
  return z;
}

std::string to_string(const ConvProblem& z) {
  return fmt::format(
      "{} {} N{} {}x{} C{} -> {}x{} K{}, filter {}x{}, stride {}x{}, pad {},{},{},{}, dilation {}x{}, groups {}, beta "
      "{}, "
      "align {}",
      name_of(z.direction), innerloop::name_of(z.dtype), z.n, z.h, z.w, z.c, z.p, z.q, z.k, z.r, z.s, z.stride_h,
      z.stride_w, z.pad_top, z.pad_bottom, z.pad_left, z.pad_right, z.dilation_h, z.dilation_w, z.groups,
      z.accumulate == Accumulate::kYes ? 1 : 0, z.alignment);
}

}  // namespace innerloop::kernels::cudnn
