#include "meta/reproduce/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "meta/from_config.h"
#include "meta/reproduce/adapted_unit.h"
#include "meta/reproduce/classes.h"
#include "meta/reproduce/settings.h"
#include "meta/reproduce/supervised_unit.h"
#include "meta/reproduce/view.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

const std::vector<std::int64_t>& labelled(const Problem& problem, std::int64_t shots) {
  if (shots == kAllShots) return problem.labelled_pool;
  const auto found = std::ranges::find(problem.labelled, shots, &LabelledDraw::shots);
  IL_CHECK(found != problem.labelled.end(), "reproduce: the plan has no {}-shot draw for {}-way, fold {}", shots,
           problem.ways, problem.fold + 1);
  return found->images;
}

io::ImageSet images_of(const io::ImageSet& set, const std::vector<std::int64_t>& indices, const Problem& problem,
                       View view) {
  io::ImageSet out = with_classes(set, indices, problem.classes);
  return view == View::kBorder ? border_alone(out) : out;
}

/// A set whose classes all have images: `groups` draws from every class of its set.
io::ImageSet without_empty_classes(const io::ImageSet& set) {
  const auto members = set.by_class();
  std::vector<std::string> kept;
  for (std::size_t c = 0; c < members.size(); ++c)
    if (!members[c].empty()) kept.push_back(set.classes[c]);
  if (kept.size() == set.classes.size()) return set;
  std::vector<std::int64_t> all(static_cast<std::size_t>(set.count()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  return with_classes(set, all, kept);
}

std::int64_t smallest_class(const io::ImageSet& set) {
  std::int64_t smallest = set.count();
  for (const auto& members : set.by_class()) smallest = std::min(smallest, static_cast<std::int64_t>(members.size()));
  return smallest;
}

}  // namespace

std::string file_of(const MetaKey& key) {
  return fmt::format("meta/w{}_f{:02}_{}_k{:02}.safetensors", key.ways, key.fold + 1, io::name_of(key.scheme),
                     key.shots);
}

Worker::Worker(const SizedImages& images, WorkerOptions options) : images_(images), options_(std::move(options)) {}

io::Config Worker::config_of(const Contestant& contestant, const Problem& problem) const {
  return at_side(config_for(options_.config, contestant, problem), images_.side_of(contestant));
}

MetaTraining Worker::meta_training(const Contestant& contestant, const Problem& problem, std::int64_t shots) {
  io::Config config = config_of(contestant, problem);
  config.task.shots = config.task.queries = shots;
  const io::ImageSet images = without_empty_classes(io::subset(images_.of(contestant), problem.unlabelled));
  const MetaKey key{problem.ways, problem.fold, config.task.scheme, shots};
  std::string path;
  if (!options_.folder.empty()) {
    std::filesystem::create_directories(options_.folder + "/meta");
    path = options_.folder + "/" + file_of(key);
  }
  return meta_train(images, meta_config(config, smallest_class(images)), path,
                    {.stop = options_.stop, .on_step = options_.on_meta_step});
}

std::optional<std::vector<Tensor>> Worker::start_params(const Contestant& contestant, const Problem& problem,
                                                        UnitResult& unit) {
  if (contestant.meta_trained()) {
    const MetaTraining trained = meta_training(contestant, problem, meta_shots());
    if (trained.steps < options_.config.outer.iterations) return std::nullopt;
    unit.shared_seconds = trained.seconds;
    return trained.params;
  }
  const io::Config config = config_of(contestant, problem);
  return nn::ConvNet(conv_net_options(config)).init(static_cast<std::uint64_t>(config.run.seed));
}

const Pretraining* Worker::pretraining(const Contestant& contestant, const Problem& problem, const io::Config& config) {
  if (contestant.system != io::System::kCovxnet) return nullptr;
  if (pretrained_.ways != problem.ways || pretrained_.fold != problem.fold) {
    std::optional<Pretraining> fresh = pretrain(images_.of(contestant), problem, config, options_.stop);
    if (!fresh) return nullptr;
    pretrained_ = {problem.ways, problem.fold, std::move(*fresh)};
  }
  return &pretrained_.pretraining;
}

std::optional<UnitResult> Worker::unit(const Contestant& contestant, const Problem& problem, std::int64_t shots) {
  const io::Config config = config_of(contestant, problem);
  const io::ImageSet& set = images_.of(contestant);
  const io::ImageSet train = images_of(set, labelled(problem, shots), problem, contestant.view);
  const io::ImageSet test = images_of(set, problem.test, problem, contestant.view);
  UnitResult unit;
  unit.key = {problem.ways, problem.fold, contestant.key, shots};
  unit.plan = options_.plan;
  unit.classes = problem.classes;
  unit.images = test.files;
  unit.truth.assign(test.labels.begin(), test.labels.end());
  if (contestant.learning != Learning::kSupervised) {
    const std::optional<std::vector<Tensor>> params = start_params(contestant, problem, unit);
    if (!params || stopped()) return std::nullopt;
    // Pictures of the first fold's best-informed answers are enough for a reader.
    const bool pictured = contestant.learning == Learning::kMetaGroups && problem.fold == 0 &&
                          shots == problem.labelled.back().shots && !options_.folder.empty();
    run_adapted(config, *params, train, test, {pictured ? options_.folder : "", name_of(unit.key)}, unit);
    return unit;
  }
  const Pretraining* before = pretraining(contestant, problem, config);
  if (stopped()) return std::nullopt;
  if (run_supervised(config, train, test, before, options_.stop, unit) == UnitEnd::kStopped) return std::nullopt;
  return unit;
}

}  // namespace innerloop::meta::reproduce
