#include "meta/named_result.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace innerloop::meta {
namespace {

/// How strongly each query that could have been of a class was taken for it.
struct Ranking {
  std::vector<std::uint8_t> positive;
  std::vector<double> scores;
};

double mean_of_defined(const std::vector<double>& values) {
  double total = 0, n = 0;
  for (const double v : values) {
    if (std::isnan(v)) continue;
    total += v;
    n += 1;
  }
  return n == 0 ? std::numeric_limits<double>::quiet_NaN() : total / n;
}

}  // namespace

NamedResult named_result(const std::vector<EpisodePrediction>& episodes, const std::vector<std::string>& names) {
  std::vector<int> place(names.size(), -1);
  for (const EpisodePrediction& e : episodes)
    for (const std::int32_t c : e.classes) place[static_cast<std::size_t>(c)] = 0;
  NamedResult result;
  for (std::size_t c = 0; c < names.size(); ++c) {
    if (place[c] < 0) continue;
    place[c] = static_cast<int>(result.classes.size());
    result.classes.push_back(names[c]);
  }
  const std::size_t classes = result.classes.size();
  result.confusion = ConfusionMatrix(static_cast<int>(classes));
  std::vector<Ranking> rankings(classes);
  for (const EpisodePrediction& e : episodes) {
    const std::size_t ways = e.classes.size();
    for (std::size_t n = 0; n < e.labels.size(); ++n) {
      const double* p = e.probabilities.data() + n * ways;
      const auto class_at = [&](std::size_t label) { return place[static_cast<std::size_t>(e.classes[label])]; };
      const auto label = static_cast<std::size_t>(e.labels[n]);
      result.confusion.add(class_at(label), class_at(static_cast<std::size_t>(std::max_element(p, p + ways) - p)));
      for (std::size_t w = 0; w < ways; ++w) {
        Ranking& r = rankings[static_cast<std::size_t>(class_at(w))];
        r.positive.push_back(w == label ? 1 : 0);
        r.scores.push_back(p[w]);
      }
    }
  }
  for (std::size_t c = 0; c < classes; ++c) {
    const Ranking& r = rankings[c];
    result.per_class.push_back(class_scores(result.confusion, static_cast<int>(c)));
    result.roc_auc.push_back(roc_auc(r.positive, r.scores));
    result.average_precision.push_back(average_precision(r.positive, r.scores));
    result.roc.push_back(roc_curve(r.positive, r.scores));
    result.precision_recall.push_back(precision_recall_curve(r.positive, r.scores));
  }
  result.macro = macro_scores(result.confusion);
  result.macro_roc_auc = mean_of_defined(result.roc_auc);
  result.macro_average_precision = mean_of_defined(result.average_precision);
  return result;
}

}  // namespace innerloop::meta
