// The seven comparison systems of the UMLF-COVID paper (Miao et al., BMC Medical Imaging 21:174, 2021, table 4), each
// after its own publication. The header of each says source, layers, parameter count, and what the source leaves open.
//
// Sides: a network takes any square side from its smallest up. Where the publication fixes the map that the dense part
// reads (LeNet-5 5x5, AlexNet 6x6, VGG19, CNN-LSTM and CNN-RNN 7x7), a larger map is brought to it by adaptive average
// pooling, and a smaller one is read as it is, with a dense part to match. Channels: 1 or 3; nothing else changes with
// them. Width: every hidden layer's channels and units times `width_factor`, rounded, at least 1: for machines that
// cannot hold the giant nets. 1 is the publication's net.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "nn/classifier.h"

namespace innerloop::nn {

enum class System : std::uint8_t { kLenet5, kAlexnet, kVgg19, kCovxnet, kCnnLstm, kCnnRnn, kEmcnet };

/// "lenet5", "alexnet", "vgg19", "covxnet", "cnn_lstm", "cnn_rnn", "emcnet".
std::string_view name_of(System system);
const std::vector<System>& all_systems();

/// Adam's step size by which the system learns from a few labelled images without weights from elsewhere. One rate does
/// not fit all: at 1e-3 the deep nets without a norm (VGG19, CNN-LSTM, CNN-RNN) fall within a few updates to a constant
/// answer. Chosen among 1e-3, 3e-4 and 1e-4, each for what serves its system best (docs/systems.md).
double adam_rate(System system);

struct SystemOptions {
  System system = System::kLenet5;
  std::int64_t side = 224, channels = 1, ways = 3;
  double width_factor = 1;
  std::optional<double> dropout = {};  ///< rate of every dropout layer; none: the publication's own rates
};

/// EMCNet's network ends in a dense softmax layer that trains it; its classifiers read ClassifierOutput::features
/// (meta/ensemble.h). Throws Error naming the smallest side when options.side is below it.
Classifier make_system(const SystemOptions& options);

/// The smallest side that make_system() takes.
std::int64_t smallest_side(System system);

}  // namespace innerloop::nn
