// ConvProblem: one convolution as cuDNN sees it, and whether cuDNN can do it at all. No CUDA headers here.
//
// Layout. Images are [N,H,W,C], as ours are. A filter is [K,R,S,C/groups]: cuDNN's channels-last order, not our
// [R,S,C/groups,K]. cuDNN takes any filter strides without a word, but for [R,S,C,K] strides its heuristics answer with
// the very kernels and workspaces that they give for [K,R,S,C], which no kernel can serve both of; so a filter is
// always handed over in the order that cuDNN documents. Ours is the matrix [R*S*C/groups, K]; cuDNN's is its transpose.
//
// Padding. Rows above and below may differ (TensorFlow's SAME at stride 2 has 0 above and 1 below): cuDNN's graph API
// takes both. What it cannot do is leave out an output row that the padded image still has: P must be
//   floor((H + pad_top + pad_bottom - (R-1)*dilation_h - 1) / stride_h) + 1.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/conv.h"

namespace innerloop::kernels::cudnn {

enum class ConvDirection : std::uint8_t { kForward, kInputGrad, kWeightGrad };
enum class Accumulate : std::uint8_t { kNo, kYes };  ///< output = result, or output += result

std::string_view name_of(ConvDirection direction);

struct ConvProblem {
  ConvDirection direction = ConvDirection::kForward;
  DType dtype = DType::kF32;
  Accumulate accumulate = Accumulate::kNo;
  std::int64_t n = 1, h = 1, w = 1, c = 1;  ///< image [N,H,W,C]
  std::int64_t k = 1, r = 1, s = 1;         ///< filter [K,R,S,C/groups]
  std::int64_t p = 1, q = 1;                ///< output [N,P,Q,K]
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;
  std::int64_t alignment = 16;  ///< bytes that divide every operand's address: 16, 8 or 4

  std::int64_t image_elements() const { return n * h * w * c; }
  std::int64_t filter_elements() const { return k * r * s * (c / groups); }
  std::int64_t output_elements() const { return n * p * q * k; }

  friend auto operator<=>(const ConvProblem&, const ConvProblem&) = default;
};

/// The problem of one task of `geometry` with image [N,H,W,C], filter R x S and output [N,P,Q,K]. pad_bottom and
/// pad_right are what P and Q ask for. Throws, naming the sizes, where cuDNN cannot do it.
ConvProblem conv_problem(ConvDirection direction, DType dtype, const ConvGeometry& geometry, std::int64_t n,
                         std::int64_t h, std::int64_t w, std::int64_t c, std::int64_t k, std::int64_t r, std::int64_t s,
                         std::int64_t p, std::int64_t q);

/// "forward f32 N5 28x28 C1 -> 28x28 K64, filter 3x3, stride 1x1, pad 1,1,1,1, dilation 1x1, groups 1, beta 0, align
/// 16"
std::string to_string(const ConvProblem& problem);

}  // namespace innerloop::kernels::cudnn
