#include "meta/system_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "meta/class_index.h"
#include "meta/named_result.h"

namespace innerloop::meta {
namespace {

constexpr double kSmallest = 1e-7;

/// The system's place of each class of `set`.
std::vector<std::int32_t> places_of(const TrainedSystem& system, const io::ImageSet& set) {
  std::vector<std::int32_t> places;
  const auto members = set.by_class();
  for (std::size_t c = 0; c < set.classes.size(); ++c) {
    const auto at = std::ranges::find(system.classes, set.classes[c]);
    IL_CHECK(
        at != system.classes.end() || members[c].empty(),
        "{}: class '{}' is none of the classes that the system was trained on ({}); leave it out, or rename its folder",
        describe(set), set.classes[c], fmt::join(system.classes, ", "));
    places.push_back(static_cast<std::int32_t>(at - system.classes.begin()));
  }
  return places;
}

}  // namespace

EvalResult evaluate_system(const TrainedSystem& system, const io::ImageSet& set, const std::string& data_hash) {
  const auto begin = std::chrono::steady_clock::now();
  IL_CHECK(set.count() > 0, "{}: no image to evaluate on", describe(set));
  const std::vector<std::int32_t> places = places_of(system, set);
  const Tensor p = probabilities(system, set.pixels);
  const auto values = p.data<float>();
  const std::size_t ways = system.classes.size();

  EpisodePrediction all;
  all.classes.resize(ways);
  std::iota(all.classes.begin(), all.classes.end(), 0);
  all.probabilities.assign(values.begin(), values.end());
  EvalResult result;
  result.unit = "images";
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    const std::int32_t truth = places[static_cast<std::size_t>(set.labels[i])];
    all.labels.push_back(truth);
    const auto row = values.subspan(i * ways, ways);
    const bool right = std::ranges::max_element(row) - row.begin() == truth;
    result.accuracies.push_back(right ? 1 : 0);
    result.query_loss -= std::log(std::max<double>(row[static_cast<std::size_t>(truth)], kSmallest));
  }
  result.query_loss /= static_cast<double>(set.count());
  result.accuracy = mean_with_interval(result.accuracies);
  result.has_named = true;
  result.named = named_result({all}, system.classes);
  result.precision = result.named.macro.precision;
  result.recall = result.named.macro.recall;
  result.f1 = result.named.macro.f1;
  result.roc_auc = result.named.macro_roc_auc;
  result.average_precision = result.named.macro_average_precision;
  const nn::Classifier network = system.network();
  result.protocol = {{"system", std::string(nn::name_of(system.options.system))},
                     {"parameters", std::to_string(network.parameter_count())},
                     {"width", fmt::format("{}", system.options.width_factor)},
                     {"classes", fmt::format("{}", fmt::join(system.classes, ", "))},
                     {"images", std::to_string(set.count())},
                     {"data", set.name},
                     {"data hash", data_hash}};
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace innerloop::meta
