// A convolution and its norm in one launch, as two stages of blocks (stages.cuh): forward the norm is the second, and a gradient has it as the
// first. For the last blocks of a network, whose kernels are short: what would be the start of a launch and the wait for the slowest
// task is a wait for one's own.
//
// For: our own convolutions in float32 on tensor cores, a 2x2 pool, channels in aligned fours, and up to kStagedPixels pixels a task. By
// shape, alignment and mode, since the order of the norm's sums is another than that of its own launch; only a call of so many tasks that the
// counters do not suffice takes two launches.
#pragma once

#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/conv_step.h"
#include "kernels/cuda/norm_step.h"

namespace innerloop::kernels::cuda {

/// What one block for each few channels of a task walks over in a handful of rounds.
inline constexpr std::int64_t kStagedPixels = 4096;

/// The process's setting: what set_conv_stages() said last, else IL_CUDA_STAGES = on | off, else on. Off takes two launches; the bits of
/// the norm's sums differ. Throws UsageError when the variable holds anything else.
bool conv_stages();
void set_conv_stages(bool on);

/// conv.moments.to and norm.moments are absent where the convolution leaves none: the norm then reads y for its sums.
struct ConvNorm {
  static constexpr std::string_view kName = "conv_norm";
  ConvForwardMoments conv;
  NormForwardMoments norm;
};
struct ConvNormJvp {
  static constexpr std::string_view kName = "conv_norm_jvp";
  ConvForwardMoments conv;
  NormJvpMoments norm;
};

/// The norm of a gradient, or of its tangent; at most one is there.
struct NormAhead {
  const NormGradStep* grad = nullptr;
  const NormGradJvpStep* grad_jvp = nullptr;
  bool wanted() const { return grad != nullptr || grad_jvp != nullptr; }
};

/// norm.grad.gy is scratch memory, and what the convolutions read.
struct NormConvGrads {
  static constexpr std::string_view kName = "norm_conv_grads";
  NormGradStep norm;
  ConvGradsStep convs;
};
/// norm.grad.tgy and, where it is there, norm.grad.gy.
struct NormConvGradsJvp {
  static constexpr std::string_view kName = "norm_conv_grads_jvp";
  NormGradJvpStep norm;
  ConvGradsStep convs;
};

template <class Conv, class Norm>
KernelCost cost_of_stages(const Conv& conv, const Norm& norm) {
  return conv.moments.to ? cost_of(conv) + cost_of(norm) : cost_of(conv.conv) + cost_of(norm.norm);
}
inline KernelCost cost_of(const ConvNorm& k) { return cost_of_stages(k.conv, k.norm); }
inline KernelCost cost_of(const ConvNormJvp& k) { return cost_of_stages(k.conv, k.norm); }
inline KernelCost cost_of(const NormConvGrads& k) { return cost_of(k.norm) + cost_of(k.convs); }
inline KernelCost cost_of(const NormConvGradsJvp& k) { return cost_of(k.norm) + cost_of(k.convs); }

/// Whether the two share a launch, on operands that fit each other.
bool suits_stages(const ConvNorm& k);
bool suits_stages(const ConvNormJvp& k);
bool suits_stages(const NormConvGrads& k);
bool suits_stages(const NormConvGradsJvp& k);

/// What they ask in common: of weights w and the map y; `operands` are those that a thread takes four channels of.
bool stages_wanted(const ConvGeometry& geometry, const ConstView& w, const Shape& y, Pool pool, std::initializer_list<ConstView> operands);

}  // namespace innerloop::kernels::cuda
