// CNN-LSTM. Source: Islam, Islam, Asraf, "A combined deep CNN-LSTM network for the detection of novel coronavirus
// (COVID-19) using X-ray images", Informatics in Medicine Unlocked 20:100412, 2020.
//
//   block 1  2 x conv 3x3, 64       each convolution pads by 1 and is followed by a ReLU; each block ends in
//   block 2  2 x conv 3x3, 128      max-pool 2x2, stride 2, and dropout 0.25
//   block 3  2 x conv 3x3, 256
//   block 4  3 x conv 3x3, 512
//   block 5  3 x conv 3x3, 512
//   LSTM 512 over the 7x7 places of the last map, row by row; dense 64, ReLU; output dense n
// 12 convolutions, 5 pools, LSTM, dense and output: the source's 20 layers. 16,256,835 parameters for 3 channels and 3
// classes at 224; the number does not depend on the side. Smallest side 32.
//
// Left open: the LSTM's units (ours: 512, the width of what it reads) and the start (ours: He's for ReLU layers,
// Glorot's for the rest, forget gates open).
#pragma once

#include "nn/systems/system.h"

namespace innerloop::nn {

Classifier cnn_lstm(const SystemOptions& options);

}  // namespace innerloop::nn
