// A trained network for another number of classes than its head has.
//
// The head of a MAML network belongs to the tasks that it was trained on: output 3 means nothing but "the third class
// of a task". For a task of another width it starts from zero, where all classes are equally likely, and the support
// set fills it in the inner steps; the meta-trained blocks stay as they are. (Repeating the mean of the trained columns
// would be no better: the softmax sees differences of columns only, so equal columns are zero columns.)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/conv_net.h"

namespace innerloop::meta {

struct Network {
  nn::ConvNet net;
  std::vector<Tensor> params;  ///< [1, ...]
  std::string note;            ///< what the reader should know of its head; empty when it is the trained one
};

/// `trained` and its parameters with `ways` outputs: as they are where they agree, else with a zero head and a note of
/// it.
Network network_for(nn::ConvNet trained, std::vector<Tensor> params, std::int64_t ways);

}  // namespace innerloop::meta
