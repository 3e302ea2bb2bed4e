// Recurrent layers over a sequence: compositions of plain ops, with every derivative on every device.
#pragma once

#include <array>
#include <cstdint>

#include "autograd/var.h"

namespace innerloop::autograd {

/// Element `step` of a sequence: [T, N, F] of x [T, N, L, F].
Var take_step(const Var& x, std::int64_t step);

struct RecurrentWeights {
  Var input;      ///< [T|1, F, U]
  Var recurrent;  ///< [T|1, U, U]
  Var bias;       ///< [T|1, U]
};

/// The last hidden state [T, N, U] of h_l = tanh(x_l Wx + h_{l-1} Wh + b), h_0 = 0, for x [T, N, L, F]. Source: Elman,
/// "Finding structure in time", Cognitive Science 14, 1990.
Var recurrent(const Var& x, const RecurrentWeights& weights);

/// Gates in the order input, forget, cell, output.
using LstmWeights = std::array<RecurrentWeights, 4>;

/// The last hidden state [T, N, U] of an LSTM over x [T, N, L, F], h_0 = c_0 = 0:
///   i, f, o = sigmoid(x_l Wx + h Wh + b) with each gate's weights,  g = tanh(x_l Wx + h Wh + b) with the cell's
///   c_l = f c + i g,  h_l = o tanh(c_l)
/// Source: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997, with the forget gate of Gers et al., 2000.
Var lstm(const Var& x, const LstmWeights& weights);

}  // namespace innerloop::autograd
