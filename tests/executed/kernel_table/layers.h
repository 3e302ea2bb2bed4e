// The blocks whose kernels are counted: those of the workloads, with few tasks and images.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "tensor/shape.h"

namespace innerloop::executed {

struct Layer {
  std::string workload;
  int number;
  std::int64_t tasks, images, side, channels, filters;

  Shape x() const { return {tasks, images, side, side, channels}; }
  Shape w() const { return {tasks, 3, 3, channels, filters}; }
  Shape y() const { return {tasks, images, side, side, filters}; }
  /// Whether all images of a task together have few enough pixels for a norm in its convolution's launch (kernels/cuda/conv_stages.h).
  bool staged() const { return workload == "W1" || (workload == "W2" && number == 4); }
  std::string name() const { return fmt::format("{}.{}", workload, number); }
  std::string conv_text() const {
    return fmt::format("{}: {} x {} of {}x{}x{} to {}", name(), tasks, images, side, side, channels, filters);
  }
  std::string block_text() const {
    return fmt::format("{}: {} x {} of {}x{}x{}", name(), tasks, images, side, side, filters);
  }
};

/// W1: 28x28x1, 64 filters. W2: 84x84x3, 32 filters. W3: 500x500x1, filters 16, 32, 64, 64, of which a crop of 96x96 is
/// taken, since the executor is slow: its first layer has the channels and the alignment of the whole, not its number
/// of blocks.
inline const Layer kLayers[] = {
    {"W1", 1, 2, 1, 28, 1, 64}, {"W1", 2, 2, 1, 14, 64, 64}, {"W1", 3, 2, 1, 7, 64, 64},  {"W1", 4, 2, 1, 3, 64, 64},
    {"W2", 1, 1, 1, 84, 3, 32}, {"W2", 2, 1, 1, 42, 32, 32}, {"W2", 3, 1, 1, 21, 32, 32}, {"W2", 4, 1, 1, 10, 32, 32},
    {"W3", 1, 1, 1, 96, 1, 16}, {"W3", 2, 1, 1, 48, 16, 32}, {"W3", 3, 1, 1, 24, 32, 64}, {"W3", 4, 1, 1, 12, 64, 64},
};

}  // namespace innerloop::executed
