#include "nn/systems/emcnet.h"

#include <fmt/format.h>

#include "nn/systems/nets.h"

namespace innerloop::nn {

Classifier emcnet(const SystemOptions& o) {
  auto net = builder_of(o, "EMCNet", "Saha, Sadi, Islam, Informatics in Medicine Unlocked 22:100505, 2021");
  int block = 0;
  for (const std::int64_t filters : {32, 32, 64, 64, 128, 128}) {
    ++block;
    net.conv(fmt::format("conv{}", block), {.filters = widened(o, filters), .pad = 1});
    net.max_pool(fmt::format("pool{}", block), 2, 2).dropout(fmt::format("drop{}", block), 0.2);
  }
  net.adaptive_pool("pool6.adapt", 3).flatten().dense("fc", widened(o, 64), Activation::kRelu);
  return net.output();
}

}  // namespace innerloop::nn
