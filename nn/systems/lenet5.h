// LeNet-5. Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
// Proceedings of the IEEE 86(11), 1998, section II-B.
//
//   C1  conv 5x5, 6, tanh        S2  average pool 2x2
//   C3  conv 5x5, 16, tanh       S4  average pool 2x2
//   C5  dense 120, tanh          F6  dense 84, tanh          output  dense n
// 61,706 parameters for grey images and 10 classes: 156 + 2,416 + 48,120 + 10,164 + 850 (61,111 for 3 classes), at
// every side of at least 32: C5 reads a 5x5 map, which a 32x32 image gives and larger ones are averaged down to.
// Smallest side 16.
//
// Where the source is peculiar to its time, this is the form in which LeNet-5 is used since: C3 sees all six maps (the
// source's table leaves some out, and counts 60,000 parameters), S2 and S4 have no learned scale, F6 is followed by a
// softmax layer in place of radial basis functions, tanh has no factors. Start: Glorot's uniform; the source draws from
// +-2.4 / fan-in.
#pragma once

#include "nn/systems/system.h"

namespace innerloop::nn {

Classifier lenet5(const SystemOptions& options);

}  // namespace innerloop::nn
