// A meta-gradient problem given from outside, and its answer: the bridge to other frameworks, oracles and profilers.
//
// PROBLEM, safetensors: the parameters by name (no task axis), support_x [T,S,H,W,C], support_y [T,S], query_x
// [T,Q,H,W,C], query_y [T,Q] (images floating, labels i64), metadata `config` with the [model] and [inner] keys as
// TOML. RESULT: the meta-gradient under the parameters' names, query_loss [T], support_loss [T,K].
#pragma once

#include <string>
#include <vector>

#include "meta/meta_gradient.h"

namespace innerloop::meta {

struct Problem {
  nn::ConvNet net;
  std::vector<Tensor> params;  ///< [1, ...]
  TaskBatch tasks;
  MetaOptions options;  ///< from [inner]; the caller may change order and method
};

/// Tensors are converted to `dtype` (f32 or f64). Throws Error naming the file and tensor: missing, of a wrong shape or
/// dtype, not finite, a label out of range.
Problem load_problem(const std::string& path, DType dtype);

/// Atomic.
void save_problem_result(const std::string& path, const Problem& problem, const MetaResult& result);

}  // namespace innerloop::meta
