// EMCNet's network. Source: Saha, Sadi, Islam, "EMCNet: automated COVID-19 diagnosis from X-ray images using
// convolutional neural network and ensemble of machine learning classifiers", Informatics in Medicine Unlocked
// 22:100505, 2021.
//
//   6 blocks: conv 3x3 (pads by 1), ReLU; max-pool 2x2, stride 2; dropout 0.2; of 32, 32, 64, 64, 128 and 128 filters
//   dense 64, ReLU: the features that the four classifiers read (meta/ensemble.h)
//   output dense n, by which the network is trained
// 6 convolutions, 6 pools, 6 dropouts and 2 dense layers: 20. 360,995 parameters for 3 channels and 3 classes at 224.
// The dense layer reads a 3x3 map at 224; larger maps are averaged down to 3x3. Smallest side 64.
//
// Left open in what is known to us of the source: it says 20 layers, made for simplicity, and features from the
// network; how many layers are of which kind, the filters, the rates and the width of the features are our choice.
#pragma once

#include "nn/systems/system.h"

namespace innerloop::nn {

Classifier emcnet(const SystemOptions& options);

}  // namespace innerloop::nn
