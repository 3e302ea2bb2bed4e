#include "nn/systems/cnn_lstm.h"

#include <fmt/format.h>

#include "nn/systems/nets.h"

namespace innerloop::nn {

Classifier cnn_lstm(const SystemOptions& o) {
  auto net = builder_of(o, "CNN-LSTM", "Islam, Islam, Asraf, Informatics in Medicine Unlocked 20:100412, 2020");
  struct BlockSize {
    int convs;
    std::int64_t filters;
  };
  constexpr BlockSize kBlocks[] = {{2, 64}, {2, 128}, {2, 256}, {3, 512}, {3, 512}};
  int block = 0;
  for (const auto& [convs, filters] : kBlocks) {
    ++block;
    for (int i = 1; i <= convs; ++i)
      net.conv(fmt::format("conv{}_{}", block, i), {.filters = widened(o, filters), .pad = 1});
    net.max_pool(fmt::format("pool{}", block), 2, 2).dropout(fmt::format("drop{}", block), 0.25);
  }
  net.adaptive_pool("pool5.adapt", 7).lstm("lstm", widened(o, 512)).dense("fc", widened(o, 64), Activation::kRelu);
  return net.output();
}

}  // namespace innerloop::nn
