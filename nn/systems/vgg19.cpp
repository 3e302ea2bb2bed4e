#include "nn/systems/vgg19.h"

#include <fmt/format.h>

#include "nn/systems/nets.h"

namespace innerloop::nn {

void add_vgg19_stages(ClassifierBuilder& net, const SystemOptions& o) {
  struct StageSize {
    int convs;
    std::int64_t filters;
  };
  constexpr StageSize kStages[] = {{2, 64}, {2, 128}, {4, 256}, {4, 512}, {4, 512}};
  int stage = 0;
  for (const auto& [convs, filters] : kStages) {
    ++stage;
    for (int i = 1; i <= convs; ++i)
      net.conv(fmt::format("conv{}_{}", stage, i), {.filters = widened(o, filters), .pad = 1});
    net.max_pool(fmt::format("pool{}", stage), 2, 2);
  }
}

Classifier vgg19(const SystemOptions& o) {
  auto net = builder_of(o, "VGG19", "Simonyan, Zisserman, ICLR 2015, configuration E");
  add_vgg19_stages(net, o);
  net.adaptive_pool("pool5.adapt", 7).flatten();
  net.dense("fc6", widened(o, 4096), Activation::kRelu).dropout("drop6", 0.5);
  net.dense("fc7", widened(o, 4096), Activation::kRelu).dropout("drop7", 0.5);
  return net.output();
}

}  // namespace innerloop::nn
