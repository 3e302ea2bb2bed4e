// Which fold each image of a comparison is in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/dataset.h"

namespace innerloop::meta::reproduce {

/// The fold of each image of a class that is compared, in [0, folds), as folds.h makes them; -1 for images of other
/// classes, which no fold holds out: they are other patients' (plan.h sets mixed ones aside) and serve unlabelled.
/// Errors as make_folds().
std::vector<std::int64_t> fold_assignment(const io::ImageSet& set, const std::vector<std::string>& classes,
                                          std::int64_t folds, std::uint64_t seed);

}  // namespace innerloop::meta::reproduce
