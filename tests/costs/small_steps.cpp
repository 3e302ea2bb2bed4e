#include "costs/small_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "meta/from_config.h"
#include "meta/meta_step.h"
#include "tensor/arena_stats.h"

namespace innerloop::costs {
namespace {

/// Images that differ, as many as a task needs of each class.
io::ImageSet images_for(const io::Config& c) {
  io::ImageSet set;
  set.name = "costs";
  set.height = set.width = c.data.size;
  set.channels = c.data.channels;
  for (std::int64_t i = 0; i < c.task.ways * c.task.shots; ++i) {
    if (i % c.task.shots == 0) set.classes.push_back(fmt::format("c{}", i / c.task.shots));
    set.labels.push_back(static_cast<std::int32_t>(i / c.task.shots));
    set.groups.push_back(i);
    set.files.push_back(fmt::format("{}.pgm", i));
    set.group_names.push_back(set.files.back());
  }
  set.pixels = Tensor::zeros({set.count(), set.height, set.width, set.channels}, DType::kU8);
  std::uint8_t value = 0;
  for (std::uint8_t& pixel : set.pixels.mutable_data<std::uint8_t>()) pixel = value = static_cast<std::uint8_t>(value * 5 + 83);
  return set;
}

}  // namespace

std::vector<SmallStep> small_steps() {
  std::vector<SmallStep> steps;
  for (const std::string& name : io::preset_names()) {
    io::Config config = io::preset(name);
    config.outer.tasks = 2;
    config.data.size = std::min<std::int64_t>(config.data.size, 32);
    steps.push_back({name, config});
    if (name == "omniglot") {
      config.inner.steps = 5;
      steps.push_back({"omniglot, K = 5", config});
    }
  }
  return steps;
}

StepCost cost_of_step(const io::Config& config) {
  Context context(1, Target::kPortable);
  const ContextScope scope(context);
  const io::ImageSet set = images_for(config);
  const nn::ConvNet net(meta::conv_net_options(config));
  const meta::TaskSource source(set, meta::task_source_options(config));
  const meta::OptimizerOptions optimizer = meta::optimizer_options(config);
  meta::MetaStep step(net, source, optimizer, meta::meta_options(config));
  const std::vector<Tensor> params = net.init(1);
  step.set(params, meta::init_optimizer(optimizer, params));
  step.run(1);
  context.arena().reset_peak();
  const std::size_t before = context.arena().stats().current;
  const kernels::KernelTally tally;
  step.run(1);
  return {tally.total(), context.arena().stats().peak - before};
}

}  // namespace innerloop::costs
