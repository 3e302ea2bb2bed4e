// A batch of few-shot tasks, as tensors.
#pragma once

#include "tensor/tensor.h"

namespace innerloop::meta {

/// T tasks with S support and Q query images each. Images in [0, 1], floating; labels i64 in [0, ways).
struct TaskBatch {
  Tensor support_x;  ///< [T, S, H, W, C]
  Tensor support_y;  ///< [T, S]
  Tensor query_x;    ///< [T, Q, H, W, C]
  Tensor query_y;    ///< [T, Q]

  std::int64_t tasks() const { return support_x.shape()[0]; }
  /// Tasks [begin, begin + count), sharing memory.
  TaskBatch slice(std::int64_t begin, std::int64_t count) const {
    return {support_x.slice(begin, count), support_y.slice(begin, count), query_x.slice(begin, count),
            query_y.slice(begin, count)};
  }
};

}  // namespace innerloop::meta
