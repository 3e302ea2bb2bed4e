#include "nn/systems/alexnet.h"

#include "nn/systems/nets.h"

namespace innerloop::nn {

Classifier alexnet(const SystemOptions& o) {
  auto net = builder_of(o, "AlexNet", "Krizhevsky, Sutskever, Hinton, NIPS 2012");
  // Channels that two groups share have to be even.
  const auto even = [&](std::int64_t n) { return widened(o, n, 2); };
  net.conv("conv1", {.filters = even(96), .kernel = 11, .stride = 4, .pad = 2});
  net.response_norm("norm1", {}).max_pool("pool1", 3, 2);
  net.conv("conv2", {.filters = even(256), .kernel = 5, .pad = 2, .groups = 2});
  net.response_norm("norm2", {}).max_pool("pool2", 3, 2);
  net.conv("conv3", {.filters = even(384), .pad = 1});
  net.conv("conv4", {.filters = even(384), .pad = 1, .groups = 2});
  net.conv("conv5", {.filters = even(256), .pad = 1, .groups = 2}).max_pool("pool5", 3, 2);
  net.adaptive_pool("pool5.adapt", 6).flatten();
  net.dropout("drop6", 0.5).dense("fc6", widened(o, 4096), Activation::kRelu);
  net.dropout("drop7", 0.5).dense("fc7", widened(o, 4096), Activation::kRelu);
  return net.output();
}

}  // namespace innerloop::nn
