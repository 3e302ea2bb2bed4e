#include "meta/from_config.h"

#include <algorithm>
#include <thread>

namespace innerloop::meta {

nn::ConvNetOptions conv_net_options(const io::Config& config) {
  const io::ModelConfig& m = config.model;
  nn::ConvNetOptions o;
  o.filters = m.filters;
  o.kernel = m.kernel;
  o.stride = m.stride;
  o.padding = m.padding == io::Padding::kSymmetric ? nn::Padding::kSymmetric : nn::Padding::kSame;
  o.pool = m.pool == io::Pool::kMax ? nn::Pool::kMax2x2 : nn::Pool::kNone;
  o.head = m.head == io::Head::kFlatten ? nn::Head::kFlatten : nn::Head::kMean;
  o.norm_scale = m.norm_scale ? nn::NormScale::kYes : nn::NormScale::kNo;
  o.norm_epsilon = m.norm_epsilon;
  o.height = o.width = config.data.size;
  o.channels = config.data.channels;
  o.ways = config.task.ways;
  return o;
}

InnerOptions inner_options(const io::Config& config) {
  return {static_cast<int>(config.inner.steps), config.inner.rate,
          config.inner.loss == io::LossReduction::kMean ? LossReduction::kMean : LossReduction::kSum};
}

MetaOptions meta_options(const io::Config& config) {
  MetaOptions o;
  o.inner = inner_options(config);
  o.order = config.inner.order == io::Order::kSecond ? Order::kSecond : Order::kFirst;
  o.method = config.inner.method == io::Method::kMixed ? Method::kMixed : Method::kReverse;
  o.memory = config.run.records == io::StepRecords::kKeep        ? StepMemory::kKeep
             : config.run.records == io::StepRecords::kRecompute ? StepMemory::kRecompute
                                                                 : StepMemory::kAuto;
  return o;
}

TaskSourceOptions task_source_options(const io::Config& config) {
  return {task_scheme(config.task.scheme),
          config.task.ways,
          config.task.shots,
          config.task.queries,
          config.outer.tasks,
          augmentations(config),
          static_cast<std::uint64_t>(config.run.seed)};
}

std::vector<kernels::Augmentation> augmentations(const io::Config& config) {
  std::vector<kernels::Augmentation> out;
  for (const io::Augmentation& step : config.augment) {
    kernels::Augmentation a;
    if (const auto* hit = std::get_if<io::SaltPepper>(&step)) {
      a.kind = kernels::AugmentKind::kSaltPepper;
      a.probability = static_cast<float>(hit->probability);
      a.salt = static_cast<float>(hit->salt);
    } else if (const auto* noise = std::get_if<io::GaussianNoise>(&step)) {
      a.kind = kernels::AugmentKind::kGaussian;
      a.std = static_cast<float>(noise->std);
    } else {
      a.kind = kernels::AugmentKind::kShift;
      a.pixels = static_cast<std::int32_t>(std::get<io::Shift>(step).pixels);
    }
    out.push_back(a);
  }
  return out;
}

kernels::TaskScheme task_scheme(io::Scheme scheme) {
  return scheme == io::Scheme::kGroups ? kernels::TaskScheme::kGroups : kernels::TaskScheme::kInstances;
}

io::LoadOptions load_options(const io::Config& config) {
  io::LoadOptions o;
  o.size = config.data.size;
  o.channels = config.data.channels;
  o.invert = config.data.invert ? io::Invert::kYes : io::Invert::kNo;
  o.layout = config.data.layout;
  o.groups_csv = config.data.groups;
  o.cache = config.data.cache;
  o.seed = static_cast<std::uint64_t>(config.run.seed);
  return o;
}

int thread_count(const io::Config& config) {
  if (config.run.threads > 0) return static_cast<int>(config.run.threads);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace innerloop::meta
