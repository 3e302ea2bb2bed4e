#include "nn/systems/lenet5.h"

#include "nn/systems/nets.h"

namespace innerloop::nn {

Classifier lenet5(const SystemOptions& o) {
  auto net = builder_of(o, "LeNet-5", "LeCun et al., Proceedings of the IEEE 86(11), 1998");
  net.conv("c1", {.filters = widened(o, 6), .kernel = 5, .activation = Activation::kTanh}).average_pool("s2", 2);
  net.conv("c3", {.filters = widened(o, 16), .kernel = 5, .activation = Activation::kTanh}).average_pool("s4", 2);
  net.adaptive_pool("s4.adapt", 5).flatten();
  net.dense("c5", widened(o, 120), Activation::kTanh).dense("f6", widened(o, 84), Activation::kTanh);
  return net.output();
}

}  // namespace innerloop::nn
