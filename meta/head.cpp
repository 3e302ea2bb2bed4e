#include "meta/head.h"

#include <fmt/core.h>

namespace innerloop::meta {

Network network_for(nn::ConvNet trained, std::vector<Tensor> params, std::int64_t ways) {
  if (trained.options().ways == ways) return {std::move(trained), std::move(params), {}};
  nn::ConvNetOptions options = trained.options();
  options.ways = ways;
  Network network{nn::ConvNet(options), std::move(params),
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

}  // namespace innerloop::meta
