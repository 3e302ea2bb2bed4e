// Checkpoints: everything that a run needs to go on, or that `eval` and `predict` need to start, in one safetensors
// file.
//
// Tensors, float32, without a task axis: the parameters by name (nn/conv_net.h); with an optimizer also
// optimizer.m.NAME and optimizer.v.NAME. Metadata: format = "innerloop", version, config (the resolved TOML); with a
// run also step, optimizer.step, best_accuracy, best_step, data_hash, and the protocol under "protocol.KEY". Only
// finite values are ever written or read.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/config.h"
#include "meta/optimizer.h"
#include "nn/conv_net.h"

namespace innerloop::meta {

inline constexpr std::string_view kCheckpointVersion = "1";

/// The best held-out accuracy so far.
struct BestSoFar {
  double accuracy = -std::numeric_limits<double>::infinity();  ///< -infinity: none yet
  std::int64_t step = 0;
};

struct Checkpoint {
  io::Config config;
  std::vector<Tensor> params;  ///< [1, ...] float32, in the network's order
  OptimizerState optimizer;
  std::int64_t step = 0;  ///< meta-steps done
  BestSoFar best;
  std::string data_hash;                        ///< of the whole data set; empty when unknown
  std::map<std::string, std::string> protocol;  ///< in words, for readers of the file

  /// The network that config describes.
  nn::ConvNet net() const;
};

/// Atomic; the bytes depend on `checkpoint` alone. Throws Error naming the tensor when a value is not finite or a shape
/// is not the network's.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// A file of parameters alone loads too (step 0, a fresh optimizer). Throws Error naming the file, the tensor or key,
/// what was found and what is needed: another format or version, no or bad config, a missing, unknown, misshapen or
/// non-float32 tensor, a value that is not finite, half an optimizer.
Checkpoint load_checkpoint(const std::string& path);

/// A tensor with a leading task axis of 1, and without it; both share memory.
Tensor with_task_axis(const Tensor& tensor);
Tensor without_task_axis(const Tensor& tensor);

}  // namespace innerloop::meta
