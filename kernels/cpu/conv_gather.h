// The engine of the forward convolution and of the input gradient: a sweep of gather tiles over blocks of output rows.
//
// Cut: (output task, block of rows), by shape alone. The dual form only lengthens the tap list; a sum over tasks adds
// one task's products after the other into the same block. A fused kernel takes the rows itself, in the order that suits it.
#pragma once

#include <limits>

#include "kernels/conv_check.h"
#include "kernels/cpu/conv_block.h"
#include "kernels/cpu/past_caches.h"

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
  ConvSweep sweep;
  GatherOperand<T> pairs[2];
  int pair_count = 1;
  std::int64_t groups = 1;
  std::int64_t w_pitch = 0;               ///< elements from one row of a panel to the next; rows hold whole vectors
  std::int64_t w_group = 0;               ///< elements from one group's panels to the next
  std::int64_t w_tap_h = 0, w_tap_w = 0;  ///< elements from one tap's panel to the next, negative when taps are flipped
  std::int64_t skipped = 0;  ///< row of the batch that the sources begin with
  std::int64_t source_end = std::numeric_limits<std::int64_t>::max();  ///< row of the batch that they end before, or more
  T* y = nullptr;
  std::int64_t y_task = 0;
  std::int64_t y_skipped = 0;  ///< element of a task's output that y begins with
  Stores stores = Stores::kCached;        ///< how outputs that nothing is added to may leave
  std::int64_t tasks = 1, out_tasks = 1;  ///< out_tasks is `tasks`, or 1 for the sum over them
};

/// One channel in and one out a group: channels fill the vectors, and weights are used as they lie, [tap][channel].
inline bool is_depthwise(const ConvSweep& sweep, std::int64_t groups) {
  return groups > 1 && sweep.channels == groups && sweep.out_channels == groups;
}

/// Outputs of a block: enough to amortise its weights, few enough that its source stays in the second-level cache.
inline std::int64_t gather_block_pixels(const ConvSweep& sweep) {
  const std::int64_t by_cache = larger(128, smaller(2048, 32768 / larger(1, sweep.channels)));
  return smaller(by_cache, larger(64, sweep.rows() * sweep.w.out / 4));
}

/// The output rows `rows` of one output task.
template <class T>
void gather_rows(const GatherConv<T>& conv, std::int64_t out_task, RowRange rows, Context& context);

/// All rows of all tasks, spread over threads.
template <class T>
void run_gather(const GatherConv<T>& conv, Context& context);

extern template void gather_rows<float>(const GatherConv<float>&, std::int64_t, RowRange, Context&);
extern template void gather_rows<double>(const GatherConv<double>&, std::int64_t, RowRange, Context&);
extern template void run_gather<float>(const GatherConv<float>&, Context&);
extern template void run_gather<double>(const GatherConv<double>&, Context&);

}  // namespace innerloop::kernels::IL_TARGET_NAMESPACE
