// CNN-RNN. Source: Al-Rakhami, Islam, Islam, Asraf, Sodhro, Ding, "Diagnosis of COVID-19 from X-rays using combined
// CNN-RNN architecture with transfer learning", 2021 (medRxiv 2020.08.24.20181339); of its four feature extractors the
// best one, VGG19.
//
//   the five stages of VGG19 (nn/systems/vgg19.h)
//   recurrent layer of 512 tanh units over the 7x7 places of the last map, row by row; output dense n
// 20,550,723 parameters for 3 channels and 3 classes: 20,024,384 of the convolutions, 524,800 of the recurrent layer,
// 1,539 of the output; the number does not depend on the side. Smallest side 32.
//
// Left open: the kind and width of the recurrent layer (ours: Elman's, 512 units). Changed: the source begins with
// weights trained on ImageNet; there are none here, so that every system of the comparison learns from the same images.
#pragma once

#include "nn/systems/system.h"

namespace innerloop::nn {

Classifier cnn_rnn(const SystemOptions& options);

}  // namespace innerloop::nn
