#include "meta/reproduce/settings.h"

#include <algorithm>

#include "meta/reproduce/budget.h"

namespace innerloop::meta::reproduce {

io::Config default_config() {
  io::Config c;
  c.model.filters = {16, 32, 64, 64};
  c.model.head = io::Head::kMean;
  c.inner = {.steps = 1, .rate = 0.1};
  c.outer.rate = 0.004;
  c.outer.schedule = io::Schedule::kCosine;
  c.outer.tasks = 4;
  c.outer.iterations = 500;
  c.task = {.scheme = io::Scheme::kGroups, .ways = 3, .shots = 10, .queries = 10};
  c.augment = {io::SaltPepper{.probability = 0.05, .salt = 0.5}, io::Shift{.pixels = 6}};
  c.data.size = 64;
  c.data.holdout = 0;  // cross-validation holds out
  c.eval = {
      .ways = 3, .shots = 10, .queries = 1, .episodes = 1, .steps = 20, .norm = io::EvalNorm::kSupport, .every = 0};
  c.supervised.iterations = 300;
  c.supervised.pretrain_iterations = 300;
  c.supervised.validation = 0.2;
  c.supervised.validate_every = 10;
  c.supervised.patience = 10;
  return c;
}

io::Config with_scale(io::Config config, double scale) {
  config.outer.iterations = scaled(config.outer.iterations, scale);
  config.supervised.iterations = scaled(config.supervised.iterations, scale);
  config.supervised.validate_every = scaled(config.supervised.validate_every, scale);
  if (config.supervised.pretrain_iterations > 0)
    config.supervised.pretrain_iterations = scaled(config.supervised.pretrain_iterations, scale);
  return config;
}

io::Config config_for(const io::Config& config, const Contestant& contestant, const Problem& problem) {
  io::Config c = config;
  c.task.ways = c.eval.ways = problem.ways;
  c.task.scheme = contestant.learning == Learning::kMetaInstances ? io::Scheme::kInstances : io::Scheme::kGroups;
  c.supervised.system = contestant.system;
  c.run.seed = config.run.seed + 1000 * (problem.fold + 1) + problem.ways;
  return c;
}

io::Config meta_config(io::Config config, std::int64_t smallest) {
  if (config.task.scheme == io::Scheme::kGroups) config.task.shots = std::min(config.task.shots, smallest);
  return config;
}

}  // namespace innerloop::meta::reproduce
