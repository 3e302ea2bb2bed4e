// CovXNet. Source: Mahmud, Rahman, Fattah, "CovXNet: a multi-dilation convolutional neural network for automatic
// COVID-19 and other pneumonia detection from chest X-ray images with transferable multi-receptive feature
// optimization", Computers in Biology and Medicine 122:103869, 2020, and the layer lists that its authors published for
// sides of 32, 64, 128 and 256.
//
//   stem      conv 5x5, 16; conv 3x3, 32, stride 2
//   stages    each has `depth` residual units and, but for the last, a shifter unit behind them; the largest dilation D
//             falls by 1 from stage to stage, and the last stage has 2
//   head      global average; dense 64, ReLU; output dense n
//
//   residual unit on C channels: conv 1x1, 2C; for each dilation d = 1 .. D a depthwise conv 3x3 of dilation d, all of
//             them side by side; conv 1x1, C; plus what came in
//   shifter unit: conv 1x1, 4C; for each d a depthwise conv 3x3 of dilation d and max-pool 2x2, side by side; conv 1x1,
//             2C
//
//   side      below 48   below 96   below 192   from 192
//   D, depth  3, 5       4, 5       5, 5        6, 2
// Every convolution has a bias, pads so that the map keeps its size, and is followed by a ReLU and then batch norm (in
// the shifter unit the pool comes between the two).
// 7,593,923 parameters for 3 channels and 3 classes at 224 (D = 6). Smallest side 3.
//
// Branches side by side and a 1x1 convolution over them are computed as the sum of one 1x1 convolution a branch: the
// same function, without the joined map. Training: first on pneumonia that is not COVID-19 against normal, then all
// layers on the classes at hand with a new output (meta/system_fit.h). Left open: the start (ours: He's uniform) and
// the length of the two stages (a key). The strided convolution pads by 1 on each side, where Keras pads at the end
// alone. Between the four sides of the source, ours are those of the next smaller one.
#pragma once

#include "nn/systems/system.h"

namespace innerloop::nn {

Classifier covxnet(const SystemOptions& options);

}  // namespace innerloop::nn
