#include "tools/problem_options.h"

#include "meta/from_config.h"
#include "tensor/error.h"

namespace innerloop::tools {
namespace {

/// The [inner] section that `options` came from, so that the shared options can change it.
io::InnerConfig inner_config(const meta::MetaOptions& options) {
  return {
      .steps = options.inner.steps,
      .rate = options.inner.rate,
      .order = options.order == meta::Order::kSecond ? io::Order::kSecond : io::Order::kFirst,
      .method = options.method == meta::Method::kMixed ? io::Method::kMixed : io::Method::kReverse,
      .loss = options.inner.loss == meta::LossReduction::kMean ? io::LossReduction::kMean : io::LossReduction::kSum};
}

void apply(const io::InnerConfig& inner, meta::MetaOptions& options) {
  options.inner.steps = static_cast<int>(inner.steps);
  options.inner.rate = inner.rate;
  options.inner.loss = inner.loss == io::LossReduction::kMean ? meta::LossReduction::kMean : meta::LossReduction::kSum;
  options.order = inner.order == io::Order::kSecond ? meta::Order::kSecond : meta::Order::kFirst;
  options.method = inner.method == io::Method::kMixed ? meta::Method::kMixed : meta::Method::kReverse;
}

}  // namespace

io::Config apply_options(const std::string& command, const CommonOptions& common, const std::string& path,
                         meta::Problem& problem) {
  io::Config base;
  base.inner = inner_config(problem.options);
  io::Config config = common.apply(base);
  if (config.model != base.model) {
    fail_usage("{}: keys of [model] cannot be set here; the network of {} is fixed by its metadata and tensors", command, path);
  }
  apply(config.inner, problem.options);
  problem.options.memory = meta::meta_options(config).memory;
  return config;
}

}  // namespace innerloop::tools
