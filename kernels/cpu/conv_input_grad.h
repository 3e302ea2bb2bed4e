// An input gradient, ready to be run row by row: the forward's gather tiles over gy, with transposed weight panels
// [tap][k][c].
//
// Input row i = a + stride*j is reached by the filter rows r with (a + pad - r*dilation) divisible by the stride, from
// output row p = j + (a + pad - r*dilation)/stride. So each residue a in [0, stride) is a dense convolution of gy with
// a subset of the filter: no product with an inserted zero is ever made.
#pragma once

#include "kernels/cpu/conv_gather.h"
#include "kernels/cpu/transpose.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

inline std::int64_t greatest_common_divisor(std::int64_t a, std::int64_t b) {
  while (b != 0) {
    const std::int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/// One residue of one axis: the sweep over gy, and which filter index tap i stands for: filter_last - i*filter_step.
struct ResidueAxis {
  Axis axis;
  std::int64_t filter_last = 0, filter_step = 1;
};

inline ResidueAxis residue_axis(std::int64_t in, std::int64_t out, std::int64_t filter, std::int64_t stride, std::int64_t pad,
                         std::int64_t dilation, std::int64_t residue) {
  ResidueAxis result;
  result.axis.in = out;
  result.axis.out = residue < in ? ceil_div(in - residue, stride) : 0;
  result.axis.out_first = residue;
  result.axis.out_step = stride;
  const std::int64_t common = greatest_common_divisor(stride, dilation);
  result.filter_step = stride / common;
  result.axis.tap_step = dilation / common;
  const auto reaches = [&](std::int64_t r) { return (residue + pad - r * dilation) % stride == 0; };
  std::int64_t first = 0;
  while (first < filter && first < result.filter_step && !reaches(first)) ++first;
  if (first >= filter || first >= result.filter_step) return result;  // no filter row meets this residue: zeros
  result.axis.taps = (filter - 1 - first) / result.filter_step + 1;
  result.filter_last = first + (result.axis.taps - 1) * result.filter_step;
  result.axis.tap_first = (residue + pad - result.filter_last * dilation) / stride;
  return result;
}

/// Panels of one residue, [task][group][tap h][tap w][k][c, zero-filled to whole vectors].
template <class T>
void pack_transposed(const T* w, std::int64_t tasks, const ResidueAxis& h, const ResidueAxis& v, const ConvSizes& z,
                     std::int64_t pitch, T* out, Context& context) {
  const std::int64_t taps = h.axis.taps * v.axis.taps, group_k = z.group_k(), group_c = z.group_c();
  context.threads().parallel_for(tasks * z.groups * taps, [&](std::int64_t job) {
    const std::int64_t tap = job % taps, group = job / taps % z.groups, task = job / taps / z.groups;
    const std::int64_t r = h.filter_last - tap / v.axis.taps * h.filter_step;
    const std::int64_t s = v.filter_last - tap % v.axis.taps * v.filter_step;
    const T* const from = w + task * z.w_size() + (r * z.s + s) * group_c * z.k + group * group_k;
    transpose(from, group_c, group_k, z.k, out + job * group_k * pitch, pitch);
  });
}

template <class T>
class InputGradConv {
 public:
  /// Operands checked by conv_sizes(); `op` and what it views must outlive this.
  InputGradConv(const ConvInputGrad& op, const ConvSizes& z, int pairs, Context& context)
      : op_(op),
        z_(z),
        pairs_(pairs),
        context_(context),
        pitch_(round_up(z.group_c(), Vec<T>::kLanes)),
        // Every filter entry belongs to one residue, so that all of them together need a panel a tap.
        packed_(context, is_depthwise_grad() ? 0 : packed_tasks() * z.r * z.s * panel_size()) {}

  std::int64_t residues_h() const { return smaller(op_.geometry.stride_h, z_.h); }
  std::int64_t residues_w() const { return smaller(op_.geometry.stride_w, z_.w); }

  /// The convolution of residue (a, b). Each is to be asked for once: its panels go where the last one's ended.
  GatherConv<T> residue(std::int64_t a, std::int64_t b) {
    const ConvGeometry& g = op_.geometry;
    const ResidueAxis h = residue_axis(z_.h, z_.p, z_.r, g.stride_h, g.pad_top, g.dilation_h, a);
    const ResidueAxis v = residue_axis(z_.w, z_.q, z_.s, g.stride_w, g.pad_left, g.dilation_w, b);
    GatherConv<T> conv;
    conv.sweep.h = h.axis;
    conv.sweep.w = v.axis;
    conv.sweep.images = z_.images;
    conv.sweep.channels = z_.k;
    conv.sweep.out_w = z_.w;
    conv.sweep.out_image = z_.h * z_.w;
    conv.sweep.out_channels = z_.c;
    conv.sweep.cut(gather_block_pixels(conv.sweep));
    conv.pair_count = pairs_;
    conv.groups = z_.groups;
    conv.w_pitch = pitch_;
    conv.w_group = h.axis.taps * v.axis.taps * z_.group_k() * pitch_;
    conv.y = op_.gx.as<T>();
    conv.y_task = task_stride(op_.gx);
    conv.stores = stores_for(conv.y, z_.c, z_.x_size());
    conv.tasks = z_.tasks;
    conv.out_tasks = op_.gx.shape[0];
    conv.w_tap_w = z_.group_k() * pitch_;
    conv.w_tap_h = v.axis.taps * conv.w_tap_w;
    if (is_depthwise_grad()) {
      conv.w_tap_w = -v.filter_step * z_.k;
      conv.w_tap_h = -h.filter_step * z_.s * z_.k;
    }
    const std::int64_t packed_task = h.axis.taps * v.axis.taps * panel_size();
    for (int n = 0; n < pairs_; ++n) {
      const std::int64_t tasks = op_.w[n].shape[0];
      if (is_depthwise_grad()) {
        const T* const last = op_.w[n].as<T>() + (h.filter_last * z_.s + v.filter_last) * z_.k;
        conv.pairs[n] = {op_.gy[n].as<T>(), last, task_stride(op_.gy[n]), task_stride(op_.w[n])};
        continue;
      }
      T* const out = packed_.data() + used_;
      pack_transposed(op_.w[n].as<T>(), tasks, h, v, z_, pitch_, out, context_);
      used_ += tasks * packed_task;
      conv.pairs[n] = {op_.gy[n].as<T>(), out, task_stride(op_.gy[n]), tasks == 1 ? 0 : packed_task};
    }
    return conv;
  }

 private:
  std::int64_t packed_tasks() const { return op_.w[0].shape[0] + (pairs_ == 2 ? op_.w[1].shape[0] : 0); }
  bool is_depthwise_grad() const { return z_.groups > 1 && z_.c == z_.groups && z_.k == z_.groups; }
  std::int64_t panel_size() const { return z_.groups * z_.group_k() * pitch_; }

  const ConvInputGrad& op_;
  const ConvSizes& z_;
  int pairs_;
  Context& context_;
  std::int64_t pitch_;
  Scratch<T> packed_;
  std::int64_t used_ = 0;  ///< of packed_
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
