// VGG19. Source: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
// table 1, column E.
//
//   stage 1  2 x conv 3x3, 64       each convolution pads by 1 and is followed by a ReLU;
//   stage 2  2 x conv 3x3, 128      each stage ends in max-pool 2x2, stride 2
//   stage 3  4 x conv 3x3, 256
//   stage 4  4 x conv 3x3, 512
//   stage 5  4 x conv 3x3, 512
//   fc6 dense 4096, ReLU, dropout 0.5; fc7 dense 4096, ReLU, dropout 0.5; output dense n
// 143,667,240 parameters for 3 channels and 1,000 classes at 224 (the publication's "144 million"); 139,582,531
// for 3 classes; the convolutions hold 20,024,384 of them. Smallest side 32.
//
// Left open for a net trained from nothing: the source starts the deep nets from shallow ones, and notes that Glorot's
// start does as well; ours is He's uniform, which keeps the scale of ReLU layers.
#pragma once

#include "nn/systems/system.h"

namespace innerloop::nn {

Classifier vgg19(const SystemOptions& options);

}  // namespace innerloop::nn
