// How well a trained system answers: on labelled images that it has not seen.
#pragma once

#include "io/dataset.h"
#include "meta/evaluator.h"
#include "meta/system_fit.h"

namespace innerloop::meta {

/// Every image of `set` is answered alone, and counted once. The result's `accuracies` are one an image (1 right, 0
/// wrong), so that its interval is over images; the macro figures are those of the named classes. The loss is the mean
/// of -log p of the true class, with p no smaller than 1e-7. `data_hash` goes into the protocol. Throws Error for an
/// image of a class that the system does not know, and for a set without images.
EvalResult evaluate_system(const TrainedSystem& system, const io::ImageSet& set, const std::string& data_hash);

}  // namespace innerloop::meta
