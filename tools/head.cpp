#include "tools/head.h"

#include <fmt/core.h>

#include "meta/from_config.h"

namespace innerloop::tools {

Network network_for(const meta::Checkpoint& checkpoint, std::int64_t ways) {
  nn::ConvNet trained = checkpoint.net();
  if (trained.options().ways == ways) return {std::move(trained), checkpoint.params, {}};
  nn::ConvNetOptions options = trained.options();
  options.ways = ways;
  Network network{nn::ConvNet(options), checkpoint.params,
                  fmt::format("the network was trained on {}-way tasks; for {} classes its head starts from zero and is "
                              "adapted on the support images",
                              trained.options().ways, ways)};
  // The head is the last two parameters: weight [F, N] and bias [N].
  for (std::size_t i = network.params.size() - 2; i < network.params.size(); ++i) {
    Shape shape{1};
    for (int a = 0; a < network.net.shapes()[i].rank(); ++a) shape = shape.append(network.net.shapes()[i][a]);
    network.params[i] = Tensor::zeros(shape, DType::kF32);
  }
  return network;
}

}  // namespace innerloop::tools
