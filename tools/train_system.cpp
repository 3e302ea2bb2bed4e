#include "tools/train_system.h"

#include <fmt/core.h>

#include <cmath>

#include "io/report.h"
#include "meta/system_run.h"
#include "tools/command.h"
#include "tools/evaluation_output.h"
#include "tools/train_display.h"

namespace innerloop::tools {
namespace {

bool is_demo(const std::string& data, bool has_config_file) { return data == "synthetic" && !has_config_file; }

Json json_of_run(const meta::SystemRunResult& r, const io::Config& config) {
  const auto path = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  const char* end = r.end == meta::FitEnd::kPatience     ? "patience"
                    : r.end == meta::FitEnd::kIterations ? "iterations"
                                                         : "stopped";
  return {{"outcome", r.outcome == meta::TrainOutcome::kFinished ? "finished" : "stopped"},
          {"system", io::name_of(config.supervised.system)},
          {"end", end},
          {"step", r.step},
          {"first_step", r.first_step},
          {"best_step", r.best_step},
          {"validation_accuracy", r.validation_accuracy},
          {"seconds", r.seconds},
          {"checkpoint", path(r.checkpoint)},
          {"best", path(r.best)},
          {"report", path(r.report)},
          {"evaluation", r.evaluated ? json_of_images(r.evaluation) : Json()}};
}

void print_result(const meta::SystemRunResult& r, const std::string& out) {
  const bool stopped = r.outcome == meta::TrainOutcome::kStopped;
  fmt::print("{} after {} iterations, {}\n", stopped ? "stopped" : "finished", r.step, io::format_duration(r.seconds));
  if (std::isfinite(r.validation_accuracy))
    fmt::print("validation accuracy {:.1f} % at the best check, after iteration {}\n", r.validation_accuracy * 100,
               r.best_step);
  if (r.evaluated)
    fmt::print("held-out accuracy {} over {} images\n",
               io::percent_with_interval(r.evaluation.accuracy.mean, r.evaluation.accuracy.half_width),
               r.evaluation.accuracy.n);
  fmt::print("checkpoint {}\n", r.checkpoint);
  if (!r.best.empty()) fmt::print("best       {}\n", r.best);
  if (!r.report.empty()) fmt::print("report     {}\n", r.report);
  if (stopped) fmt::print("go on with: innerloop train --resume --out {}\n", out);
}

}  // namespace

io::Config system_base(const std::string& data, bool has_config_file) {
  if (is_demo(data, has_config_file)) return io::preset("demo");
  io::Config config;
  if (has_config_file) return config;
  config.data.size = 224;
  config.augment = {io::GaussianNoise{.std = 0.03}, io::Shift{.pixels = 8}};
  return config;
}

std::string system_origin(const std::string& data, bool has_config_file) {
  if (is_demo(data, has_config_file)) return "configuration: the demo preset, which suits synthetic data";
  if (has_config_file) return "configuration: the defaults under the file given";
  return "configuration: images of 224 pixels with light augmentations; --set and --config change them";
}

int run_train_system(meta::TrainOptions options, const std::string& first, bool json) {
  meta::SystemRunResult result;
  {
    const io::SupervisedConfig& s = options.config.supervised;
    const bool two_stages = s.system == io::System::kCovxnet;
    TrainDisplay display(
        {s.iterations + (two_stages ? s.pretrain_iterations : 0), 0, "iteration", "validation", "images"}, first);
    options.callbacks = display.callbacks();
    result = meta::train_system(options);
  }
  if (json) {
    print_json(json_of_run(result, options.config));
  } else {
    print_result(result, options.out);
  }
  return result.outcome == meta::TrainOutcome::kStopped ? kStopped : kDone;
}

}  // namespace innerloop::tools
