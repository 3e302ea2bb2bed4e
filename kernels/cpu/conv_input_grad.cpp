// Input gradient on the CPU: the forward's gather tiles over gy, with transposed weight panels [tap][k][c].
//
// Input row i = a + stride*j is reached by the filter rows r with (a + pad - r*dilation) divisible by the stride, from
// output row p = j + (a + pad - r*dilation)/stride. So each residue a in [0, stride) is a dense convolution of gy with
// a subset of the filter: no product with an inserted zero is ever made.
#include "kernels/conv_check.h"
#include "kernels/cpu/conv_gather.h"
#include "kernels/cpu/transpose.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

std::int64_t greatest_common_divisor(std::int64_t a, std::int64_t b) {
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

ResidueAxis residue_axis(std::int64_t in, std::int64_t out, std::int64_t filter, std::int64_t stride, std::int64_t pad,
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
void input_grad(const ConvInputGrad& op, const ConvSizes& z, int pairs, Context& context) {
  const ConvGeometry& g = op.geometry;
  const std::int64_t pitch = round_up(z.group_c(), Vec<T>::kLanes);
  const std::int64_t tasks_0 = op.w[0].shape[0], tasks_1 = pairs == 2 ? op.w[1].shape[0] : 0;
  // Every filter entry belongs to one residue, so that no residue needs more panels than the filter has taps.
  const std::int64_t panel_size = z.groups * z.group_k() * pitch;
  const std::int64_t most_taps = z.r * z.s;
  const bool depthwise = z.groups > 1 && z.c == z.groups && z.k == z.groups;
  const Scratch<T> packed(context, depthwise ? 0 : (tasks_0 + tasks_1) * most_taps * panel_size);

  for (std::int64_t a = 0; a < smaller(g.stride_h, z.h); ++a) {
    const ResidueAxis h = residue_axis(z.h, z.p, z.r, g.stride_h, g.pad_top, g.dilation_h, a);
    for (std::int64_t b = 0; b < smaller(g.stride_w, z.w); ++b) {
      const ResidueAxis v = residue_axis(z.w, z.q, z.s, g.stride_w, g.pad_left, g.dilation_w, b);
      GatherConv<T> conv;
      conv.sweep.h = h.axis;
      conv.sweep.w = v.axis;
      conv.sweep.images = z.images;
      conv.sweep.channels = z.k;
      conv.sweep.out_w = z.w;
      conv.sweep.out_image = z.h * z.w;
      conv.sweep.out_channels = z.c;
      conv.sweep.cut(gather_block_pixels(conv.sweep));
      conv.pair_count = pairs;
      conv.groups = z.groups;
      conv.w_pitch = pitch;
      conv.w_group = h.axis.taps * v.axis.taps * z.group_k() * pitch;
      conv.y = op.gx.as<T>();
      conv.y_task = task_stride(op.gx);
      conv.tasks = z.tasks;
      conv.out_tasks = op.gx.shape[0];
      conv.w_tap_w = z.group_k() * pitch;
      conv.w_tap_h = v.axis.taps * conv.w_tap_w;
      if (depthwise) {
        conv.w_tap_w = -v.filter_step * z.k;
        conv.w_tap_h = -h.filter_step * z.s * z.k;
      }
      const std::int64_t packed_task = h.axis.taps * v.axis.taps * panel_size;
      for (int n = 0; n < pairs; ++n) {
        const std::int64_t tasks = op.w[n].shape[0];
        if (depthwise) {
          const T* const last = op.w[n].as<T>() + (h.filter_last * z.s + v.filter_last) * z.k;
          conv.pairs[n] = {op.gy[n].as<T>(), last, task_stride(op.gy[n]), task_stride(op.w[n])};
          continue;
        }
        T* const out = packed.get() + n * tasks_0 * packed_task;
        pack_transposed(op.w[n].as<T>(), tasks, h, v, z, pitch, out, context);
        conv.pairs[n] = {op.gy[n].as<T>(), out, task_stride(op.gy[n]), tasks == 1 ? 0 : packed_task};
      }
      run_gather(conv, context);
    }
  }
}

void run_here(const ConvInputGrad& op, Context& context) {
  const int pairs = count_pairs(ConvInputGrad::kName, op.gy, op.w);
  const ConvSizes z = conv_sizes(ConvInputGrad::kName, op.geometry, pairs, [&](int) -> ConstView { return op.gx; },
                                 [&](int n) { return op.w[n]; }, [&](int n) { return op.gy[n]; });
  if (op.gx.shape.numel() == 0) return;
  op.gx.dtype == DType::kF32 ? input_grad<float>(op, z, pairs, context) : input_grad<double>(op, z, pairs, context);
}

IL_REGISTER_KERNEL(ConvInputGrad);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
