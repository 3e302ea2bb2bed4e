// The engine of the forward convolution and of the input gradient: a sweep of gather tiles over blocks of output rows.
//
// Cut: (output task, block of rows), by shape alone. The dual form only lengthens the tap list; a sum over tasks adds one
// task's products after the other into the same block.
#pragma once

#include "kernels/cpu/conv_block.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// A source and the weight panels it meets: rows [tap h][tap w][channel of the group], `w_pitch` elements apart.
template <class T>
struct GatherOperand {
  const T* x = nullptr;
  const T* w = nullptr;
  std::int64_t x_task = 0, w_task = 0;  ///< elements from one task to the next
};

template <class T>
struct GatherConv {
  Sweep sweep;
  GatherOperand<T> pairs[2];
  int pair_count = 1;
  std::int64_t groups = 1;
  std::int64_t w_pitch = 0;  ///< a whole number of vectors past every channel block's start
  std::int64_t w_group = 0;  ///< elements from one group's panels to the next
  T* y = nullptr;
  std::int64_t y_task = 0;
  std::int64_t tasks = 1, out_tasks = 1;  ///< out_tasks is `tasks`, or 1 for the sum over them
};

/// Outputs of a block: enough to amortise its weights, few enough that its source stays in the second-level cache.
inline std::int64_t gather_block_pixels(const Sweep& sweep) {
  const std::int64_t by_cache = larger(128, smaller(2048, 32768 / larger(1, sweep.channels)));
  return smaller(by_cache, larger(64, sweep.rows() * sweep.w.out / 4));
}

template <class T>
void gather_block_of_rows(const GatherConv<T>& conv, std::int64_t out_task, std::int64_t block, Context& context) {
  const Sweep& sweep = conv.sweep;
  const PixelBlock<T> pixels(sweep, block, context);
  const Scratch<T> copies(context, pixels.copy_size() * conv.pair_count);
  const std::int64_t in_group = sweep.channels / conv.groups, out_group = sweep.out_channels / conv.groups;
  // Neighbouring filter columns that are neighbours in the source, too, make one long tap.
  const bool merged = conv.groups == 1 && sweep.w.tap_step == 1;
  const std::int64_t taps_w = merged ? 1 : sweep.w.taps;
  const std::int64_t length = merged ? sweep.w.taps * in_group : in_group;
  const Scratch<Tap<T>> taps(context, larger(1, conv.pair_count * sweep.h.taps * taps_w));

  for (std::int64_t i = 0; i < conv.tasks / conv.out_tasks; ++i) {
    const std::int64_t task = out_task + i;
    const T* source[2] = {};
    for (int n = 0; n < conv.pair_count; ++n) {
      source[n] = pixels.fill(conv.pairs[n].x + task * conv.pairs[n].x_task, copies.get() + n * pixels.copy_size());
    }
    for (std::int64_t g = 0; g < conv.groups; ++g) {
      for_channel_blocks<T>(out_group, [&](std::int64_t first, int vectors, int last_lanes) {
        int count = 0;
        for (int n = 0; n < conv.pair_count; ++n) {
          const T* const x = source[n] + g * in_group;
          const T* const w = conv.pairs[n].w + task * conv.pairs[n].w_task + g * conv.w_group + first;
          for (std::int64_t a = 0; a < sweep.h.taps && length > 0; ++a) {
            for (std::int64_t b = 0; b < taps_w; ++b) {
              taps.get()[count++] = {x + sweep.tap_offset(a, b),
                                     w + (a * sweep.w.taps + b) * in_group * conv.w_pitch};
            }
          }
        }
        gather_blocks<T>({taps.get(), count, length, conv.w_pitch, pixels.from(), pixels.to(), pixels.pixels(),
                          conv.y + out_task * conv.y_task + g * out_group + first, last_lanes,
                          i == 0 ? Start::kZero : Start::kAccumulate},
                         vectors);
      });
    }
  }
}

template <class T>
void run_gather(const GatherConv<T>& conv, Context& context) {
  const std::int64_t blocks = conv.sweep.blocks;
  context.threads().parallel_for(conv.out_tasks * blocks, [&](std::int64_t job) {
    gather_block_of_rows(conv, job / blocks, job % blocks, context);
  });
}

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
