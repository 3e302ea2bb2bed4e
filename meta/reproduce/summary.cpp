#include "meta/reproduce/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "meta/holm.h"
#include "meta/interval.h"
#include "meta/reproduce/contestants.h"

namespace innerloop::meta::reproduce {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// The place of a system in the tables.
std::size_t place_of(const std::string& key) {
  const auto& all = all_contestants();
  const auto found = std::ranges::find(all, key, &Contestant::key);
  if (found != all.end()) return static_cast<std::size_t>(found - all.begin());
  const auto& rest = shortcut_contestants();
  return all.size() + static_cast<std::size_t>(std::ranges::find(rest, key, &Contestant::key) - rest.begin());
}

std::array<double, kScores.size()> scores_of(const UnitResult& u) {
  const int n = static_cast<int>(u.classes.size());
  const ClassificationReport r = classification_report(u.truth, u.probabilities, n);
  const Calibration c = calibration_of(u.truth, u.probabilities, n);
  return {r.confusion.accuracy(), r.macro.precision,         r.macro.recall,  r.macro.specificity, r.macro.f1,
          r.macro_roc_auc,        r.macro_average_precision, c.expected_error};
}

Estimate over_folds(const std::vector<double>& values) {
  std::vector<double> finite;
  std::ranges::copy_if(values, std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  return finite.empty() ? Estimate{kNone, kNone, 0} : mean_with_t_interval(finite);
}

Cell cell_of(const std::vector<const UnitResult*>& units) {
  const UnitResult& first = *units.front();
  Cell cell;
  cell.ways = first.key.ways;
  cell.shots = first.key.shots;
  cell.system = first.key.system;
  cell.classes = first.classes;
  cell.parameters = first.parameters;
  std::vector<int> truth;
  std::vector<double> probabilities;
  const auto share = 1.0 / static_cast<double>(units.size());
  for (const UnitResult* u : units) {
    cell.folds.push_back(u->key.fold);
    const auto scores = scores_of(*u);
    for (std::size_t s = 0; s < scores.size(); ++s) cell.by_fold[s].push_back(scores[s]);
    truth.insert(truth.end(), u->truth.begin(), u->truth.end());
    probabilities.insert(probabilities.end(), u->probabilities.begin(), u->probabilities.end());
    cell.train_seconds += share * u->train_seconds;
    cell.predict_seconds += share * u->predict_seconds;
    cell.shared_seconds += share * u->shared_seconds;
    cell.iterations += share * static_cast<double>(u->iterations);
    cell.labels += share * static_cast<double>(u->labels);
  }
  for (std::size_t s = 0; s < cell.mean.size(); ++s) cell.mean[s] = over_folds(cell.by_fold[s]);
  const auto n = static_cast<int>(cell.classes.size());
  cell.pooled = classification_report(truth, probabilities, n);
  cell.calibration = calibration_of(truth, probabilities, n);
  for (std::size_t c = 0; c < cell.classes.size(); ++c) {
    std::vector<std::uint8_t> positive;
    std::vector<double> score;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      positive.push_back(truth[i] == static_cast<int>(c) ? 1 : 0);
      score.push_back(probabilities[i * cell.classes.size() + c]);
    }
    cell.roc.push_back(roc_curve(positive, score));
    cell.precision_recall.push_back(precision_recall_curve(positive, score));
  }
  return cell;
}

/// The accuracies of both on the folds that both have.
PairedTest test_of(const Cell& a, const Cell& b) {
  PairedTest t{a.ways, a.shots, a.system, b.system, 0, {}, 1};
  std::vector<double> x, y;
  for (std::size_t i = 0; i < a.folds.size(); ++i) {
    const auto found = std::ranges::find(b.folds, a.folds[i]);
    if (found == b.folds.end()) continue;
    x.push_back(a.of(Score::kAccuracy)[i]);
    y.push_back(b.of(Score::kAccuracy)[static_cast<std::size_t>(found - b.folds.begin())]);
    t.difference += x.back() - y.back();
  }
  if (x.empty()) {
    t.difference = kNone;
    return t;
  }
  t.difference /= static_cast<double>(x.size());
  t.ranks = wilcoxon_signed_rank(x, y);
  return t;
}

std::vector<PairedTest> tests_at(const Summary& summary, std::int64_t ways, std::int64_t shots) {
  const Cell* umlf = summary.find(ways, "umlf", shots);
  std::vector<PairedTest> out;
  if (umlf == nullptr) return out;
  for (const Cell* other : summary.at(ways, shots)) {
    if (other == umlf) continue;
    const PairedTest t = test_of(*umlf, *other);
    if (std::isfinite(t.difference)) out.push_back(t);
  }
  std::vector<double> p;
  for (const PairedTest& t : out) p.push_back(t.ranks.p);
  const std::vector<double> adjusted = holm_adjusted(p);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].adjusted = adjusted[i];
  return out;
}

}  // namespace

std::string_view name_of(Score score) {
  constexpr std::array<std::string_view, kScores.size()> kNames = {
      "accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "pr_auc", "expected_calibration_error"};
  return kNames[static_cast<std::size_t>(score)];
}

std::string Summary::title(std::string_view system) const { return title_of(contestant(system), sizes); }

const Cell* Summary::find(std::int64_t n, std::string_view system, std::int64_t k) const {
  for (const Cell& c : cells)
    if (c.ways == n && c.shots == k && c.system == system) return &c;
  return nullptr;
}

std::vector<const Cell*> Summary::at(std::int64_t n, std::int64_t k) const {
  std::vector<const Cell*> out;
  for (const Cell& c : cells)
    if (c.ways == n && c.shots == k && contestant(c.system).compared()) out.push_back(&c);
  return out;
}

Summary summarise(const std::vector<UnitResult>& units, const Sizes& sizes) {
  std::map<std::tuple<std::int64_t, std::int64_t, std::size_t>, std::vector<const UnitResult*>> grouped;
  for (const UnitResult& u : units) grouped[{u.key.ways, u.key.shots, place_of(u.key.system)}].push_back(&u);
  Summary summary;
  summary.sizes = sizes;
  std::set<std::int64_t> ways, shots;
  for (const auto& [key, members] : grouped) {
    summary.cells.push_back(cell_of(members));
    summary.cells.back().title = summary.title(summary.cells.back().system);
    if (!contestant(summary.cells.back().system).compared()) continue;
    ways.insert(std::get<0>(key));
    shots.insert(std::get<1>(key));
  }
  summary.ways.assign(ways.begin(), ways.end());
  summary.shots.assign(shots.begin(), shots.end());
  for (const std::int64_t n : summary.ways) {
    for (const std::int64_t k : summary.shots) {
      const std::vector<PairedTest> tests = tests_at(summary, n, k);
      summary.tests.insert(summary.tests.end(), tests.begin(), tests.end());
    }
  }
  return summary;
}

}  // namespace innerloop::meta::reproduce
