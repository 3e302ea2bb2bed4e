// A forward convolution, ready to be run row by row: gather tiles over the weights as they lie, [tap][c][k].
#pragma once

#include "kernels/cpu/conv_gather.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// Copies each group's columns into panels of whole vectors, [task][group][tap and channel][columns, zero-filled]; for
/// channel counts that are no multiple of a vector, whose last row could not be loaded otherwise.
template <class T>
void pack_columns(const T* w, std::int64_t tasks, std::int64_t rows, const ConvSizes& z, std::int64_t pitch, T* out,
                  Context& context) {
  context.threads().parallel_for(tasks * z.groups, [&](std::int64_t job) {
    const std::int64_t task = job / z.groups, group = job % z.groups;
    const T* from = w + task * rows * z.k + group * z.group_k();
    T* to = out + job * rows * pitch;
    for (std::int64_t i = 0; i < rows; ++i, from += z.k, to += pitch) {
      for (std::int64_t k = 0; k < pitch; ++k) to[k] = k < z.group_k() ? from[k] : T{0};
    }
  });
}

template <class T>
class ForwardConv {
 public:
  /// Operands checked by conv_sizes(); `op` and what it views must outlive this.
  ForwardConv(const ConvForward& op, const ConvSizes& z, int pairs, Context& context) {
    const ConvGeometry& g = op.geometry;
    GatherConv<T>& conv = gather_;
    conv.sweep.h = forward_axis(z.h, z.p, z.r, g.stride_h, g.pad_top, g.dilation_h);
    conv.sweep.w = forward_axis(z.w, z.q, z.s, g.stride_w, g.pad_left, g.dilation_w);
    conv.sweep.images = z.images;
    conv.sweep.channels = z.c;
    conv.sweep.out_w = z.q;
    conv.sweep.out_image = z.p * z.q;
    conv.sweep.out_channels = z.k;
    conv.sweep.cut(gather_block_pixels(conv.sweep));
    conv.pair_count = pairs;
    conv.groups = z.groups;
    conv.y = op.y.as<T>();
    conv.y_task = task_stride(op.y);
    conv.tasks = conv.out_tasks = z.tasks;

    const std::int64_t rows = z.r * z.s * z.group_c();
    const std::int64_t padded = round_up(z.group_k(), Vec<T>::kLanes);
    const bool pack = padded != z.group_k() && !is_depthwise(conv.sweep, z.groups);
    conv.w_pitch = pack ? padded : z.k;
    conv.w_group = pack ? rows * padded : z.group_k();
    conv.w_tap_w = z.group_c() * conv.w_pitch;
    conv.w_tap_h = z.s * conv.w_tap_w;
    const std::int64_t packed_task = z.groups * rows * padded;
    const std::int64_t tasks_0 = op.w[0].shape[0], tasks_1 = pairs == 2 ? op.w[1].shape[0] : 0;
    if (pack) packed_ = Scratch<T>(context, (tasks_0 + tasks_1) * packed_task);
    for (int n = 0; n < pairs; ++n) {
      const std::int64_t tasks = op.w[n].shape[0];
      conv.pairs[n] = {op.x[n].as<T>(), op.w[n].as<T>(), task_stride(op.x[n]), task_stride(op.w[n])};
      if (!pack) continue;
      T* const out = packed_.data() + n * tasks_0 * packed_task;
      pack_columns(op.w[n].as<T>(), tasks, rows, z, padded, out, context);
      conv.pairs[n].w = out;
      conv.pairs[n].w_task = tasks == 1 ? 0 : packed_task;
    }
  }

  const GatherConv<T>& gather() const { return gather_; }

 private:
  GatherConv<T> gather_;
  Scratch<T> packed_;
};

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
