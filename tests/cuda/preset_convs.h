// The convolutions that the presets' networks are made of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "io/config.h"
#include "kernels/cuda/cudnn/conv_problem.h"

namespace innerloop::kernels::cudnn {

enum class TaskAxis { kOneTask, kSharedFilter, kGroups };

struct PresetConv {
  std::string preset;
  int layer = 1;
  std::int64_t tasks = 1, n = 1, side = 1, c = 1, k = 1, kernel = 1, out = 1;
  ConvGeometry geometry;

  /// One task alone; all tasks as images of one shared filter; or all tasks as groups of channels lying side by side.
  ConvProblem problem(ConvDirection direction, DType dtype, TaskAxis axis) const {
    ConvGeometry g = geometry;
    const std::int64_t images = axis == TaskAxis::kSharedFilter ? tasks : 1,
                       grouped = axis == TaskAxis::kGroups ? tasks : 1;
    g.groups = grouped;
    return conv_problem(direction, dtype, g, n * images, side, side, c * grouped, k * grouped, kernel, kernel, out,
                        out);
  }
};

/// Every preset's layers, first to last, on the support images of one task.
inline std::vector<PresetConv> preset_convs() {
  std::vector<PresetConv> convs;
  for (const std::string& name : io::preset_names()) {
    const io::Config config = io::preset(name);
    const io::ModelConfig& m = config.model;
    std::int64_t side = config.data.size, channels = config.data.channels;
    int layer = 1;
    for (const std::int64_t filters : m.filters) {
      PresetConv z{.preset = name,
                   .layer = layer++,
                   .tasks = config.outer.tasks,
                   .n = config.task.ways * config.task.shots,
                   .side = side,
                   .c = channels,
                   .k = filters,
                   .kernel = m.kernel,
                   .geometry = {.stride_h = m.stride, .stride_w = m.stride}};
      if (m.padding == io::Padding::kSymmetric) {
        z.geometry.pad_top = z.geometry.pad_left = (m.kernel - 1) / 2;
        z.out = (side + 2 * z.geometry.pad_top - m.kernel) / m.stride + 1;
      } else {
        z.out = (side + m.stride - 1) / m.stride;
        const std::int64_t whole = std::max<std::int64_t>((z.out - 1) * m.stride + m.kernel - side, 0);
        z.geometry.pad_top = z.geometry.pad_left = whole / 2;  // the odd pixel goes to the end
      }
      convs.push_back(z);
      side = m.pool == io::Pool::kMax ? z.out / 2 : z.out;
      channels = filters;
    }
  }
  return convs;
}

inline constexpr ConvDirection kConvDirections[] = {ConvDirection::kForward, ConvDirection::kInputGrad,
                                                    ConvDirection::kWeightGrad};

}  // namespace innerloop::kernels::cudnn
