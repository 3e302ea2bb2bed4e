// A unit of the meta-learned network, or of its random start: adapt on the labelled images, answer the test images.
#pragma once

#include <string>

#include "meta/predictor.h"
#include "meta/reproduce/unit.h"

namespace innerloop::meta::reproduce {

/// Where pictures of explained answers go; none are made where `folder` is empty.
struct PictureOptions {
  std::string folder;  ///< the run folder; files go to its pictures/
  std::string stem;    ///< their names begin with it
};

/// Fills in what the answering yields: probabilities, counts, seconds, pictures. `support` and `test` have the classes
/// of the problem. Parameters [1, ...].
void run_adapted(const io::Config& config, const std::vector<Tensor>& params, const io::ImageSet& support,
                 const io::ImageSet& test, const PictureOptions& pictures, UnitResult& unit);

}  // namespace innerloop::meta::reproduce
