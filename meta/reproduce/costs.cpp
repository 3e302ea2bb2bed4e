#include "meta/reproduce/costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "meta/clock.h"
#include "meta/reproduce/settings.h"

namespace innerloop::meta::reproduce {
namespace {

io::Config with_iterations(io::Config config, std::int64_t n) {
  config.outer.iterations = config.supervised.iterations = n;
  if (config.supervised.pretrain_iterations > 0) config.supervised.pretrain_iterations = n;
  return config;
}

struct Sample {
  double all = 0, training = 0, pretraining = 0;  ///< seconds
};

/// None when it was stopped.
std::optional<Sample> run_once(const Work& work, const SizedImages& images, const io::Config& config,
                               const std::atomic<bool>* stop) {
  Worker worker(images, {.config = config, .plan = "", .folder = "", .stop = stop, .on_meta_step = {}});
  const auto begin = Clock::now();
  Sample s;
  if (!work.is_unit()) {
    s.training = worker.meta_training(*work.contestant, *work.problem, work.shots).seconds;
  } else {
    // A calibration of units of umlf starts from random parameters: adapting costs the same.
    Contestant contestant = *work.contestant;
    if (contestant.meta_trained()) contestant.learning = Learning::kUntrained;
    const std::optional<UnitResult> unit = worker.unit(contestant, *work.problem, work.shots);
    if (!unit) return std::nullopt;
    s.training = unit->train_seconds;
    s.pretraining = unit->shared_seconds;
  }
  s.all = seconds_since(begin);
  return s;
}

}  // namespace

std::string Costs::kind_of(const Work& work) {
  const char* kind = work.kind == WorkKind::kUnit ? "unit" : "meta";
  return fmt::format("{} {}", kind, work.contestant->key);
}

std::int64_t Costs::batch_of(const Work& work) const {
  if (work.contestant->learning != Learning::kSupervised) return work.problem->ways * work.shots;
  const std::int64_t images = work.shots == kAllShots ? static_cast<std::int64_t>(work.problem->labelled_pool.size())
                                                      : work.problem->ways * work.shots;
  return std::min(config_.supervised.batch, images);
}

void Costs::calibrate(const Work& work, const SizedImages& images, const std::atomic<bool>* stop) {
  constexpr std::int64_t kFew = 1, kMore = 3;
  const std::optional<Sample> few = run_once(work, images, with_iterations(config_, kFew), stop);
  if (!few) return;
  Calibrated c;
  c.batch = batch_of(work);
  const bool grows = !work.is_unit() || work.contestant->learning == Learning::kSupervised;
  if (!grows) {
    c.cost.fixed = few->all;
  } else {
    const std::optional<Sample> more = run_once(work, images, with_iterations(config_, kMore), stop);
    if (!more) return;
    constexpr double kSteps = kMore - kFew;
    const double training = std::max(0.0, (more->training - few->training) / kSteps);
    const double pretraining = std::max(0.0, (more->pretraining - few->pretraining) / kSteps);
    c.cost.fixed = std::max(0.0, few->all - training - pretraining);
    c.cost.scalable = work.is_unit() ? training * static_cast<double>(config_.supervised.iterations) +
                                           pretraining * static_cast<double>(config_.supervised.pretrain_iterations)
                                     : training * static_cast<double>(config_.outer.iterations);
  }
  calibrated_[kind_of(work)] = c;
}

UnitCost Costs::of(const Work& work) const {
  const auto found = calibrated_.find(kind_of(work));
  if (found == calibrated_.end()) return {};
  UnitCost cost = found->second.cost;
  cost.scalable *= static_cast<double>(batch_of(work)) / static_cast<double>(found->second.batch);
  return cost;
}

void Costs::measured(const Work& work, double seconds) {
  Mean& mean = measured_[fmt::format("{} {} {}", kind_of(work), work.problem->ways, work.shots)];
  mean.sum += seconds;
  ++mean.n;
}

double Costs::estimate(const Work& work, double scale) const {
  const auto found = measured_.find(fmt::format("{} {} {}", kind_of(work), work.problem->ways, work.shots));
  if (found != measured_.end()) return found->second.sum / static_cast<double>(found->second.n);
  return of(work).at(scale);
}

std::vector<Work> calibration_work(const std::vector<Work>& all) {
  std::vector<Work> out;
  const auto weight = [](const Work& w) {
    return std::pair(w.problem->ways, w.shots == kAllShots ? std::numeric_limits<std::int64_t>::max() : w.shots);
  };
  for (const Work& w : all) {
    if (w.kind == WorkKind::kCurve) continue;  // costs what meta-training does
    const auto same = [&](const Work& o) { return o.kind == w.kind && o.contestant->key == w.contestant->key; };
    const auto found = std::ranges::find_if(out, same);
    if (found == out.end()) {
      out.push_back(w);
    } else if (weight(w) > weight(*found)) {
      *found = w;
    }
  }
  return out;
}

}  // namespace innerloop::meta::reproduce
