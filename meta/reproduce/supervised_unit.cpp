#include "meta/reproduce/supervised_unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "meta/clock.h"
#include "meta/system_fit.h"

namespace innerloop::meta::reproduce {
namespace {

/// Each image is answered alone, so images may go in parts: the giant nets keep every layer of a part.
constexpr std::int64_t kPart = 32;

/// Where training goes on from: the pretrained layers; none where there are none.
std::optional<SystemState> start_of(const Pretraining* pretraining, const io::Config& config, std::int64_t ways) {
  if (pretraining == nullptr || pretraining->weights.params.empty()) return std::nullopt;
  const SupervisedOptions options = supervised_options(config);
  const nn::Classifier network = nn::make_system(system_options(config, ways));
  SystemState state;
  state.stage = Stage::kTraining;
  state.fit = start_fit(transferred(pretraining->weights, network, options), options);
  return state;
}

}  // namespace

UnitEnd run_supervised(const io::Config& config, const io::ImageSet& train, const io::ImageSet& test,
                       const Pretraining* pretraining, const std::atomic<bool>* stop, UnitResult& unit) {
  auto begin = Clock::now();
  io::Config own = config;
  own.supervised.pretrain_iterations = 0;  // `pretraining` stands for it
  const std::optional<SystemState> start = start_of(pretraining, own, static_cast<std::int64_t>(train.classes.size()));
  SystemCallbacks callbacks;
  callbacks.stop = stop;
  callbacks.on_message = [&](const std::string& text) { unit.notes.push_back(text); };
  const SystemFit fitted = fit_system(train, own, start ? &*start : nullptr, callbacks);
  if (fitted.end == FitEnd::kStopped) return UnitEnd::kStopped;
  unit.train_seconds = seconds_since(begin);
  unit.iterations = fitted.state.fit.iteration;
  unit.parameters = fitted.system.network().parameter_count();
  unit.labels = train.count();
  if (fitted.end == FitEnd::kPatience)
    unit.notes.push_back(fmt::format("stopped early after {} updates", unit.iterations));
  if (pretraining != nullptr) {
    unit.labels += pretraining->labels;
    unit.shared_seconds = pretraining->seconds;
    unit.notes.push_back(pretraining->note);
  }
  begin = Clock::now();
  for (std::int64_t first = 0; first < test.count(); first += kPart) {
    const Tensor p = probabilities(fitted.system, test.pixels.slice(first, std::min(kPart, test.count() - first)));
    for (const float value : p.data<float>()) unit.probabilities.push_back(value);
  }
  unit.predict_seconds = seconds_since(begin);
  return UnitEnd::kDone;
}

}  // namespace innerloop::meta::reproduce
