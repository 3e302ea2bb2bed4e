// The engine of the forward convolution and of the input gradient: a sweep of gather tiles over blocks of output rows.
//
// Cut: (output task, block of rows), by shape alone. The dual form only lengthens the tap list; a sum over tasks adds
// one task's products after the other into the same block.
#pragma once

#include "kernels/cpu/conv_block.h"
#include "kernels/cpu/conv_depthwise.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {

/// A source and the weight panels it meets, one a tap: rows [channel of the group] of output channels.
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
  std::int64_t w_pitch = 0;               ///< elements from one row of a panel to the next; rows hold whole vectors
  std::int64_t w_group = 0;               ///< elements from one group's panels to the next
  std::int64_t w_tap_h = 0, w_tap_w = 0;  ///< elements from one tap's panel to the next, negative when taps are flipped
  T* y = nullptr;
  std::int64_t y_task = 0;
  std::int64_t tasks = 1, out_tasks = 1;  ///< out_tasks is `tasks`, or 1 for the sum over them
};

/// One channel in and one out a group: channels fill the vectors, and weights are used as they lie, [tap][channel].
inline bool is_depthwise(const Sweep& sweep, std::int64_t groups) {
  return groups > 1 && sweep.channels == groups && sweep.out_channels == groups;
}

/// Outputs of a block: enough to amortise its weights, few enough that its source stays in the second-level cache.
inline std::int64_t gather_block_pixels(const Sweep& sweep) {
  const std::int64_t by_cache = larger(128, smaller(2048, 32768 / larger(1, sweep.channels)));
  return smaller(by_cache, larger(64, sweep.rows() * sweep.w.out / 4));
}

inline constexpr std::int64_t kPanelBytes = 256 * 1024;

template <class T>
void gather_block_of_rows(const GatherConv<T>& conv, std::int64_t out_task, std::int64_t block, Context& context) {
  const Sweep& sweep = conv.sweep;
  const PixelBlock<T> pixels(sweep, block, context);
  const Scratch<T> copies(context, pixels.copy_size() * conv.pair_count);
  const bool depthwise = is_depthwise(sweep, conv.groups);
  const std::int64_t in_group = sweep.channels / conv.groups, out_group = sweep.out_channels / conv.groups;
  // Filter columns that are neighbours in the source and in the weights make one long tap.
  const bool merged = conv.groups == 1 && sweep.w.tap_step == 1 && conv.w_tap_w == in_group * conv.w_pitch;
  const std::int64_t taps_w = merged ? 1 : sweep.w.taps;
  const std::int64_t length = merged ? sweep.w.taps * in_group : in_group;
  const Scratch<Tap<T>> taps(context, larger(1, conv.pair_count * sweep.h.taps * taps_w));

  for (std::int64_t i = 0; i < conv.tasks / conv.out_tasks; ++i) {
    const std::int64_t task = out_task + i;
    const T* source[2] = {};
    for (int n = 0; n < conv.pair_count; ++n) {
      source[n] = pixels.fill(conv.pairs[n].x + task * conv.pairs[n].x_task, copies.get() + n * pixels.copy_size());
    }
    const auto list_taps = [&](std::int64_t group, std::int64_t channel) {
      int count = 0;
      for (int n = 0; n < conv.pair_count; ++n) {
        const T* const x = source[n] + group * in_group;
        const T* const w = conv.pairs[n].w + task * conv.pairs[n].w_task + group * conv.w_group + channel;
        for (std::int64_t a = 0; a < sweep.h.taps && length > 0; ++a) {
          for (std::int64_t b = 0; b < taps_w; ++b) {
            taps.get()[count++] = {x + sweep.tap_offset(a, b), w + a * conv.w_tap_h + b * conv.w_tap_w};
          }
        }
      }
      return count;
    };
    GatherWork<T> work{taps.get(), 0, length, conv.w_pitch, pixels.from(), pixels.to(), pixels.pixels(),
                       conv.y + out_task * conv.y_task, 0, i == 0 ? Start::kZero : Start::kAccumulate};
    if (depthwise) {
      work.tap_count = list_taps(0, 0);
      depthwise_gather(work, sweep.channels);
      continue;
    }
    for (std::int64_t group = 0; group < conv.groups; ++group) {
      for_channel_blocks<T>(out_group, [&](std::int64_t channel, int vectors, int last_lanes) {
        work.y = conv.y + out_task * conv.y_task + group * out_group + channel;
        work.last_lanes = last_lanes;
        // Long tap lists go in parts whose weights stay in the second-level cache from one tile to the next.
        const int count = list_taps(group, channel);
        const std::int64_t bytes = count * length * vectors * Vec<T>::kLanes * static_cast<std::int64_t>(sizeof(T));
        const int parts = static_cast<int>(larger(1, smaller(count, ceil_div(bytes, kPanelBytes))));
        for (int part = 0, first = 0; part < parts; ++part) {
          work.taps = taps.get() + first;
          work.tap_count = (count - first) / (parts - part);
          work.start = i == 0 && part == 0 ? Start::kZero : Start::kAccumulate;
          gather_blocks(work, vectors);
          first += work.tap_count;
        }
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
