#include "nn/systems/cnn_rnn.h"

#include "nn/systems/nets.h"

namespace innerloop::nn {

Classifier cnn_rnn(const SystemOptions& o) {
  auto net = builder_of(o, "CNN-RNN", "Al-Rakhami et al., medRxiv 2020.08.24.20181339, 2021");
  add_vgg19_stages(net, o);
  net.adaptive_pool("pool5.adapt", 7).recurrent("rnn", widened(o, 512));
  return net.output();
}

}  // namespace innerloop::nn
