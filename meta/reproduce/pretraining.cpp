#include "meta/reproduce/pretraining.h"

#include <fmt/format.h>


#include "meta/clock.h"
#include "meta/system_fit.h"

namespace innerloop::meta::reproduce {

std::optional<Pretraining> pretrain(const io::ImageSet& set, const Problem& problem, const io::Config& config,
                                    const std::atomic<bool>* stop) {
  const auto begin = Clock::now();
  Pretraining out;
  SupervisedOptions options = supervised_options(config);
  options.optimizer.iterations = config.supervised.pretrain_iterations;
  const TrainPart part =
      split_validation(io::subset(set, problem.unlabelled), config.supervised.validation, options.seed);
  const PretrainingImages train = pretraining_images(part.train), watched = pretraining_images(part.validation);
  out.note = train.note;
  if (config.supervised.pretrain_iterations == 0) out.note = "no pretraining: supervised.pretrain_iterations is 0";
  if (config.supervised.pretrain_iterations == 0 || train.images.count() == 0) return out;
  const nn::Classifier network = nn::make_system(system_options(config, 2));
  FitCallbacks callbacks;
  callbacks.stop = stop;
  const FitResult fitted = fit(network, train.images, watched.images, options, start_fit(network, options), callbacks);
  if (fitted.end == FitEnd::kStopped) return std::nullopt;
  out.weights = fitted.chosen();
  out.labels = train.images.count() + watched.images.count();
  out.seconds = seconds_since(begin);
  out.note +=
      fmt::format(", {} watched for early stopping: labels that the other systems do not see", watched.images.count());
  return out;
}

Weights transferred(const Weights& pretrained, const nn::Classifier& network, const SupervisedOptions& options) {
  Weights out = start_fit(network, options).weights;
  const std::vector<nn::ParameterSpec>& specs = network.parameters();
  const auto layer_of = [](const std::string& parameter) { return parameter.substr(0, parameter.rfind('.')); };
  const std::string head = layer_of(specs.back().name);
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (layer_of(specs[i].name) != head) out.params[i] = pretrained.params[i];
  out.running = pretrained.running;
  return out;
}

}  // namespace innerloop::meta::reproduce
