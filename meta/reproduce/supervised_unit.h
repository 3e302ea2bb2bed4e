// A unit of a supervised system: train on the labelled images, answer the test images.
#pragma once

#include <atomic>

#include "meta/reproduce/pretraining.h"
#include "meta/reproduce/unit.h"

namespace innerloop::meta::reproduce {

enum class UnitEnd : std::uint8_t { kDone, kStopped };

/// Fills in what the training and the answering yield. `train` and `test` have the classes of the problem;
/// `pretraining` is CovXNet's first stage, null for the others.
UnitEnd run_supervised(const io::Config& config, const io::ImageSet& train, const io::ImageSet& test,
                       const Pretraining* pretraining, const std::atomic<bool>* stop, UnitResult& unit);

}  // namespace innerloop::meta::reproduce
