// Forward convolution on the CPU: gather tiles over the weights as they lie, [tap][c][k].
#include "kernels/conv_check.h"
#include "kernels/cpu/conv_gather.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

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
void forward(const ConvForward& op, const ConvSizes& z, int pairs, Context& context) {
  const ConvGeometry& g = op.geometry;
  GatherConv<T> conv;
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
  const Scratch<T> packed(context, pack ? (tasks_0 + tasks_1) * packed_task : 0);
  for (int n = 0; n < pairs; ++n) {
    const std::int64_t tasks = op.w[n].shape[0];
    conv.pairs[n] = {op.x[n].as<T>(), op.w[n].as<T>(), task_stride(op.x[n]), task_stride(op.w[n])};
    if (!pack) continue;
    T* const out = packed.get() + n * tasks_0 * packed_task;
    pack_columns(op.w[n].as<T>(), tasks, rows, z, padded, out, context);
    conv.pairs[n].w = out;
    conv.pairs[n].w_task = tasks == 1 ? 0 : packed_task;
  }
  run_gather(conv, context);
}

void run_here(const ConvForward& op, Context& context) {
  const int pairs = count_pairs(ConvForward::kName, op.x, op.w);
  const ConvSizes z = conv_sizes(ConvForward::kName, op.geometry, pairs, [&](int n) { return op.x[n]; },
                                 [&](int n) { return op.w[n]; }, [&](int) -> ConstView { return op.y; });
  IL_CHECK(op.y.shape[0] == z.tasks, "{}: the output {} must have the task extent {}", ConvForward::kName,
           op.y.shape.to_string(), z.tasks);
  if (op.y.shape.numel() == 0) return;
  op.y.dtype == DType::kF32 ? forward<float>(op, z, pairs, context) : forward<double>(op, z, pairs, context);
}

IL_REGISTER_KERNEL(ConvForward);

}  // namespace
}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
