// What system.cpp chooses from: one function a publication, each in a header of its own. Internal to nn/systems.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "nn/classifier_builder.h"
#include "nn/systems/system.h"

namespace innerloop::nn {

/// `n` channels or units under the width factor: rounded to a multiple of `multiple`, and at least that.
inline std::int64_t widened(const SystemOptions& o, std::int64_t n, std::int64_t multiple = 1) {
  const double parts = static_cast<double>(n) * o.width_factor / static_cast<double>(multiple);
  return std::max<std::int64_t>(1, std::llround(parts)) * multiple;
}

inline ClassifierBuilder builder_of(const SystemOptions& o, const char* name, const char* source) {
  return ClassifierBuilder(name, source, {o.side, o.side, o.channels}, o.ways, o.dropout);
}

/// The 16 convolutions of VGG19 in five stages, each ending in a max-pool.
void add_vgg19_stages(ClassifierBuilder& builder, const SystemOptions& options);

}  // namespace innerloop::nn
