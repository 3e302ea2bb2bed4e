// The gather tiles' sweep (conv_gather.h), compiled here once for all that convolve.
#include "kernels/cpu/conv_gather.h"

#include "kernels/cpu/conv_amx.h"
#include "kernels/cpu/conv_depthwise.h"
#include "kernels/cpu/conv_winograd.h"

namespace innerloop::kernels::IL_TARGET_NAMESPACE {
namespace {

constexpr std::int64_t kPanelBytes = 256 * 1024;

template <class T>
bool on_tiles([[maybe_unused]] const GatherConv<T>& conv, [[maybe_unused]] const Context& context) {
#if defined(IL_AMX)
  if constexpr (sizeof(T) == sizeof(float)) return context.target() == Target::kAmx && amx::serves(conv);
#endif
  return false;
}

template <class T>
bool with_fewer_products([[maybe_unused]] const GatherConv<T>& conv, [[maybe_unused]] const Context& context) {
  if constexpr (sizeof(T) == sizeof(float)) return winograd::serves(conv, context.winograd());
  return false;
}

/// Blocks that one job takes. Some ways prepare the weights for each call, so their calls take more pixels where there are jobs
/// enough; no bit depends on that.
template <class T>
std::int64_t blocks_per_job(const GatherConv<T>& conv, Context& context) {
  constexpr std::int64_t kElements = 131072;  // three planes of bfloat16 of them: 768 KiB
  const std::int64_t blocks = conv.sweep.blocks;
  if (!(on_tiles(conv, context) || with_fewer_products(conv, context)) || blocks == 0) return 1;
  const std::int64_t block = conv.sweep.rows_per_block * conv.sweep.w.out * conv.sweep.h.in_step * conv.sweep.w.in_step;
  const std::int64_t jobs = ceil_div(4 * context.threads().threads(), conv.out_tasks);  // wanted of a task
  return larger(1, smaller(kElements / (block * conv.sweep.channels), blocks / jobs));
}

}  // namespace

template <class T>
void gather_rows(const GatherConv<T>& conv, std::int64_t out_task, RowRange rows, Context& context) {
  const ConvSweep& sweep = conv.sweep;
  if (rows.count() <= 0 || sweep.w.out == 0) return;
#if defined(IL_AMX)
  if constexpr (sizeof(T) == sizeof(float))
    if (on_tiles(conv, context)) return amx::gather_rows(conv, out_task, rows, context);
#endif
  if constexpr (sizeof(T) == sizeof(float))
    if (with_fewer_products(conv, context)) return winograd::gather_rows(conv, out_task, rows, context);
  const PixelBlock<T> pixels(sweep, rows, conv.skipped, conv.y_skipped, context);
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
      const GatherOperand<T>& pair = conv.pairs[n];
      source[n] = pixels.fill(pair.x + task * pair.x_task, copies.data() + n * pixels.copy_size());
    }
    const auto list_taps = [&](std::int64_t group, std::int64_t channel) {
      int count = 0;
      for (int n = 0; n < conv.pair_count; ++n) {
        const T* const x = source[n] + group * in_group;
        const T* const w = conv.pairs[n].w + task * conv.pairs[n].w_task + group * conv.w_group + channel;
        for (std::int64_t a = 0; a < sweep.h.taps && length > 0; ++a) {
          for (std::int64_t b = 0; b < taps_w; ++b) {
            taps.data()[count++] = {x + sweep.tap_offset(a, b), w + a * conv.w_tap_h + b * conv.w_tap_w};
          }
        }
      }
      return count;
    };
    GatherWork<T> work{taps.data(), 0, length, conv.w_pitch, pixels.from(), pixels.to(), pixels.pixels(),
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
          work.taps = taps.data() + first;
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
  const std::int64_t per_job = blocks_per_job(conv, context), jobs = ceil_div(conv.sweep.blocks, per_job);
  context.threads().parallel_for(conv.out_tasks * jobs, [&](std::int64_t job) {
    const std::int64_t first = job % jobs * per_job;
    gather_rows(conv, job / jobs, conv.sweep.neighbours(first, first + per_job), context);
  });
}

template void gather_rows<float>(const GatherConv<float>&, std::int64_t, RowRange, Context&);
template void gather_rows<double>(const GatherConv<double>&, std::int64_t, RowRange, Context&);
template void run_gather<float>(const GatherConv<float>&, Context&);
template void run_gather<double>(const GatherConv<double>&, Context&);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
