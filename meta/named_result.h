// The predictions of labelled episodes, counted by the true classes of the data set. Internal to meta.
#pragma once

#include <string>
#include <vector>

#include "meta/evaluator.h"

namespace innerloop::meta {

struct EpisodePrediction {
  std::vector<std::int32_t> classes;  ///< [ways] the set's class behind each label
  std::vector<int> labels;            ///< [n] in [0, ways)
  std::vector<double> probabilities;  ///< [n, ways]; empty when the episode was not finished
  double loss = 0;                    ///< mean cross-entropy of its queries
};

/// `names` are the set's classes. The result holds those that occurred.
NamedResult named_result(const std::vector<EpisodePrediction>& episodes, const std::vector<std::string>& names);

}  // namespace innerloop::meta
