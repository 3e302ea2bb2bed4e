#include "meta/system_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <optional>

#include "meta/from_config.h"

namespace innerloop::meta {
namespace {

/// The two stages of one run draw from seeds of their own.
constexpr std::uint64_t kPretrainingSeed = 0x9E3779B97F4A7C15u;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

nn::System system_of(const io::Config& config) {
  IL_CHECK(config.supervised.system != io::System::kUmlf,
           "supervised.system: umlf is meta-trained, not fitted with labels");
  return static_cast<nn::System>(static_cast<int>(config.supervised.system) - 1);
}
static_assert(static_cast<int>(io::System::kLenet5) == static_cast<int>(nn::System::kLenet5) + 1 &&
              static_cast<int>(io::System::kEmcnet) == static_cast<int>(nn::System::kEmcnet) + 1);

class Run {
 public:
  Run(const io::ImageSet& train, const io::Config& config, const SystemState* start, const SystemCallbacks& callbacks)
      : set_(train), config_(config), callbacks_(callbacks), options_(supervised_options(config)) {
    check_classes(set_);
    if (start != nullptr) state_ = *start;
    fresh_ = start == nullptr;
    result_.system.options = system_options(config, static_cast<std::int64_t>(set_.classes.size()));
    result_.system.classes = set_.classes;
  }

  SystemFit go() {
    const auto begin = std::chrono::steady_clock::now();
    part_ = split_validation(set_, config_.supervised.validation, options_.seed + 1);
    say(part_.note);
    const bool finished = pretrain() && train();
    if (!finished) result_.end = FitEnd::kStopped;
    result_.state = std::move(state_);
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return std::move(result_);
  }

 private:
  void say(const std::string& text) const {
    if (callbacks_.on_message) callbacks_.on_message(text);
  }

  FitResult fit_stage(const nn::Classifier& network, const LabelledImages& images, const LabelledImages& validation,
                      const SupervisedOptions& options, Stage stage, FitState from) {
    FitCallbacks c;
    c.stop = callbacks_.stop;
    c.on_iteration = [&](const IterationFigures& f) {
      if (callbacks_.on_iteration) callbacks_.on_iteration(stage, f);
    };
    c.on_check = [&](const CheckFigures& f) {
      if (callbacks_.on_check) callbacks_.on_check(stage, f);
    };
    if (callbacks_.on_state) {
      c.on_state = [&](const FitState& fit) { callbacks_.on_state({stage, state_.pretrained, fit}); };
      if (from.iteration == 0) c.on_state(from);
    }
    return fit(network, images, validation, options, std::move(from), c);
  }

  /// CovXNet's first stage; afterwards state_ is the start of the second. False when it was stopped.
  bool pretrain() {
    const bool wanted =
        result_.system.options.system == nn::System::kCovxnet && config_.supervised.pretrain_iterations > 0;
    if (!fresh_ && state_.stage == Stage::kTraining) return true;
    PretrainingImages first;
    if (wanted) {
      first = pretraining_images(part_.train);
      say(first.note);
    }
    const nn::Classifier network = result_.system.network();
    Weights weights{network.init(options_.seed), network.init_moments()};
    if (first.images.count() > 0) {
      const nn::Classifier two = nn::make_system(system_options(config_, 2));
      SupervisedOptions o = options_;
      o.seed ^= kPretrainingSeed;
      o.optimizer.iterations = config_.supervised.pretrain_iterations;
      if (fresh_) state_.fit = start_fit(two, o);
      state_.stage = Stage::kPretraining;
      const LabelledImages watched =
          part_.validation.count() > 0 ? pretraining_images(part_.validation).images : LabelledImages{};
      FitResult done = fit_stage(two, first.images, watched, o, Stage::kPretraining, std::move(state_.fit));
      if (done.end == FitEnd::kStopped) {
        state_.fit = std::move(done.state);
        return false;
      }
      state_.pretrained = done.state.iteration;
      // All layers go on but the output, whose classes are others.
      const Weights& learned = done.chosen();
      for (std::size_t i = 0; i < weights.params.size(); ++i)
        if (!network.parameters()[i].name.starts_with("output.")) weights.params[i] = learned.params[i];
      weights.running = learned.running;
    }
    state_.stage = Stage::kTraining;
    state_.fit = start_fit(std::move(weights), options_);
    return true;
  }

  bool train() {
    const nn::Classifier network = result_.system.network();
    FitResult done = fit_stage(network, labelled_images(part_.train), labelled_images(part_.validation), options_,
                               Stage::kTraining, std::move(state_.fit));
    result_.end = done.end;
    result_.system.weights = done.chosen();
    if (!done.state.best.weights.params.empty()) result_.validation_accuracy = done.state.best.accuracy;
    state_.fit = std::move(done.state);
    if (done.end == FitEnd::kStopped) return false;
    if (result_.system.options.system == nn::System::kEmcnet) {
      // The classifiers need no early stopping, so they may see all images.
      const Tensor features = features_of(network, result_.system.weights, set_.pixels);
      result_.system.ensemble = Ensemble::fit(features, set_.labels, network.ways());
    }
    return true;
  }

  const io::ImageSet& set_;
  const io::Config& config_;
  const SystemCallbacks& callbacks_;
  SupervisedOptions options_;
  SystemState state_;
  bool fresh_ = true;
  TrainPart part_;
  SystemFit result_;
};

}  // namespace

PretrainingImages pretraining_images(const io::ImageSet& set) {
  PretrainingImages out;
  const auto members = set.by_class();
  std::vector<std::int64_t> indices;
  std::vector<std::string> normal, pneumonia;
  for (std::size_t c = 0; c < members.size(); ++c) {
    const std::string name = lower(set.classes[c]);
    if (members[c].empty() || name.find("covid") != std::string::npos) continue;
    const bool is_normal = name.find("normal") != std::string::npos;
    (is_normal ? normal : pneumonia).push_back(set.classes[c]);
    for (const std::int64_t i : members[c]) {
      indices.push_back(i);
      out.images.labels.push_back(is_normal ? 0 : 1);
    }
  }
  if (normal.empty() || pneumonia.empty()) {
    out.images = {};
    out.note = fmt::format(
        "no pretraining: among the classes {} there is none whose name holds 'normal', or none that is neither that "
        "nor COVID-19",
        fmt::join(set.classes, ", "));
    return out;
  }
  out.images.pixels = io::subset(set, indices).pixels;
  out.note = fmt::format("pretraining on {} images: {} against {}", out.images.count(), fmt::join(pneumonia, ", "),
                         fmt::join(normal, ", "));
  return out;
}

void check_classes(const io::ImageSet& set) {
  IL_CHECK(set.classes.size() >= 2,
           "{}: holds images of {}; a system with labels needs two classes or more: give a folder with one subfolder a class",
           set.name, set.classes.empty() ? "no class" : "one class alone");
  const auto members = set.by_class();
  for (std::size_t c = 0; c < members.size(); ++c)
    IL_CHECK(!members[c].empty(), "{}: class '{}' has no image to train on; add some, or leave the class out", set.name,
             set.classes[c]);
}

nn::SystemOptions system_options(const io::Config& config, std::int64_t ways) {
  nn::SystemOptions o;
  o.system = system_of(config);
  o.side = config.data.size;
  o.channels = config.data.channels;
  o.ways = ways;
  o.width_factor = config.supervised.width;
  if (config.supervised.dropout >= 0) o.dropout = config.supervised.dropout;
  return o;
}

SupervisedOptions supervised_options(const io::Config& config) {
  const io::SupervisedConfig& s = config.supervised;
  IL_CHECK(s.rate >= 0 || s.optimizer == io::Optimizer::kAdam,
           "supervised.rate: a system's own step size is Adam's; give one (--set supervised.rate=0.01) with sgd");
  SupervisedOptions o;
  const double rate = s.rate >= 0 ? s.rate : nn::adam_rate(system_of(config));
  o.optimizer = {s.optimizer, rate, io::Schedule::kConstant, s.iterations, s.clip};
  o.batch = s.batch;
  o.validate_every = s.validate_every;
  o.patience = s.patience;
  o.class_weights = s.class_weights == io::ClassWeights::kBalanced ? ClassWeights::kBalanced : ClassWeights::kNone;
  o.augment = augmentations(config);
  o.seed = static_cast<std::uint64_t>(config.run.seed);
  return o;
}

SystemFit fit_system(const io::ImageSet& train, const io::Config& config, const SystemState* start,
                     const SystemCallbacks& callbacks) {
  return Run(train, config, start, callbacks).go();
}

Tensor probabilities(const TrainedSystem& system, const Tensor& pixels) {
  const nn::Classifier network = system.network();
  if (system.ensemble != nullptr) return system.ensemble->probabilities(features_of(network, system.weights, pixels));
  return classify(network, system.weights, pixels);
}

}  // namespace innerloop::meta
