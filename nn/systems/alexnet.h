// AlexNet. Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks",
// NIPS 2012, section 3.5 and figure 2.
//
//   conv1  11x11, 96, stride 4, ReLU     norm1  pool1       pools: max 3x3, stride 2 (overlapping)
//   conv2  5x5, 256, 2 groups, ReLU      norm2  pool2       norms: n = 5, k = 2, alpha = 1e-4, beta = 0.75
//   conv3  3x3, 384, ReLU
//   conv4  3x3, 384, 2 groups, ReLU
//   conv5  3x3, 256, 2 groups, ReLU             pool5
//   dropout 0.5, fc6 dense 4096, ReLU; dropout 0.5, fc7 dense 4096, ReLU; output dense n
// 60,965,224 parameters for 3 channels and 1,000 classes at 224 and at 227, the publication's
// "60 million"; 56,880,515 for 3 classes. Smallest side 63.
//
// Left open: the padding that makes a 224 image give 55x55 maps; ours is 2 rows and columns on each side. The source's
// two GPUs are the two groups. Changed: weights begin by He's uniform and biases at 0 in place of a normal of 0.01 and
// biases of 1, which need the source's 90 epochs of a million images to leave their plateau; its weight decay and
// momentum belong to training, not to the net.
#pragma once

#include "nn/systems/system.h"

namespace innerloop::nn {

Classifier alexnet(const SystemOptions& options);

}  // namespace innerloop::nn
