// Our own convolution kernels: implicit GEMMs with the task as a dimension of the grid. The contract is kernels/conv.h;
// these expect operands that conv_sizes() has accepted, and put their launches on the context's stream without waiting.
//
// Determinism: an output's sum is taken in one order, k ascending within a pair, pairs in order, then chunks of pixels
// that the shape alone sets (weight gradient), then tasks. Neither the grid nor the number of tasks changes it.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/conv.h"

namespace innerloop::kernels::cuda {

/// How float32 products are made. float64 is always multiplied as it is.
enum class ConvMath : std::uint8_t {
  kFp32,    ///< fused multiply-add
  kTf32x3,  ///< tensor cores, each operand split in two TF32 parts: float32's error for finite operands below 2^127
  kTf32,    ///< tensor cores, operands rounded to TF32: relative error about 2^-10 of the sum of magnitudes
};

inline constexpr ConvMath kConvMaths[] = {ConvMath::kFp32, ConvMath::kTf32x3, ConvMath::kTf32};

std::string_view name_of(ConvMath math);

/// The process's setting: what set_conv_math() said last, else IL_CONV_MATH = fp32 | tf32x3 | tf32, else tf32x3. Throws
/// UsageError when the variable holds anything else.
ConvMath conv_math();
void set_conv_math(ConvMath math);

void conv_own(const ConvForward& op, ConvMath math, Context& context);
void conv_own(const ConvInputGrad& op, ConvMath math, Context& context);
void conv_own(const ConvWeightGrad& op, ConvMath math, Context& context);

}  // namespace innerloop::kernels::cuda
