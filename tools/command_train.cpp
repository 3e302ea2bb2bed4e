// train: a whole meta-training run into a run folder.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <cmath>
#include <filesystem>
#include <memory>

#include "io/report.h"
#include "meta/run_folder.h"
#include "meta/trainer.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/evaluation_output.h"
#include "tools/help_keys.h"
#include "tools/load_data.h"
#include "tools/messages.h"
#include "tools/run_config.h"
#include "tools/stop_signal.h"
#include "tools/train_display.h"
#include "tools/train_system.h"

namespace innerloop::tools {
namespace {

struct TrainRequest {
  CommonOptions common;
  PresetOption preset;
  BadFileOption bad_files;
  GraphOption graph;
  std::string data, out;
  bool resume = false, help_keys = false;
  const CLI::App* command = nullptr;  ///< after parsing: which options were given
};

/// A comparison system draws no tasks and adapts to none; what was given for that would say something untrue of its run.
void refuse_unread_keys(const TrainRequest& o, const io::Config& config) {
  const std::string_view system = io::name_of(config.supervised.system);
  for (const ShortForm& form : training_short_forms()) {
    if (form.option != "--iterations" && o.command->count(form.option) > 0)
      fail_usage("train: {} is for meta-training, and {} does not read it; leave it out", form.option, system);
  }
  for (const std::string& assignment : o.command->get_option("--set")->as<std::vector<std::string>>()) {
    for (const std::string_view section : {"model.", "inner.", "outer.", "task.", "eval."})
      if (assignment.starts_with(section))
        fail_usage("train: --set {}: the key is for meta-training, and {} does not read it; leave it out", assignment, system);
  }
}

/// What a run starts from: on resume the run's own configuration, so that nothing has to be said twice.
io::Config base_config(const TrainRequest& o) {
  const std::string saved = meta::RunFolder(o.out).config();
  if (!o.resume || o.preset.given() || !std::filesystem::exists(saved)) {
    const bool labelled = o.common.apply(io::Config()).supervised.system != io::System::kUmlf;
    return labelled && !o.preset.given() ? system_base(o.data, o.common.has_config_file()) : o.preset.base(o.data, o.common);
  }
  io::Config config;
  io::apply_toml_file(config, saved);
  return config;
}

std::string origin_of(const TrainRequest& o) {
  const bool own = o.resume && !o.preset.given() && std::filesystem::exists(meta::RunFolder(o.out).config());
  if (own) return "configuration: the run's own";
  const bool labelled = o.common.apply(io::Config()).supervised.system != io::System::kUmlf;
  return labelled && !o.preset.given() ? system_origin(o.data, o.common.has_config_file()) : o.preset.origin(o.data, o.common);
}

Json json_of_run(const meta::TrainResult& r, const io::Config& config) {
  const auto path = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {{"outcome", r.outcome == meta::TrainOutcome::kFinished ? "finished" : "stopped"},
          {"step", r.step},
          {"first_step", r.first_step},
          {"loss", r.loss},
          {"accuracy", r.accuracy},
          {"best_accuracy", r.best_accuracy},
          {"best_step", std::isfinite(r.best_accuracy) ? Json(r.best_step) : Json()},
          {"seconds", r.seconds},
          {"tasks_per_second", r.tasks_per_second},
          {"checkpoint", path(r.checkpoint)},
          {"best", path(r.best)},
          {"report", path(r.report)},
          {"evaluation", r.evaluated ? json_of(r.evaluation, config) : Json()}};
}

void print_result(const meta::TrainResult& r, const std::string& out) {
  const bool stopped = r.outcome == meta::TrainOutcome::kStopped;
  fmt::print("{} after {} meta-steps, {}, {:.1f} tasks/s\n", stopped ? "stopped" : "finished", r.step,
             io::format_duration(r.seconds), r.tasks_per_second);
  if (r.evaluated) {
    const bool has_best = std::isfinite(r.best_accuracy);
    fmt::print("held-out accuracy {}{}\n",
               io::percent_with_interval(r.evaluation.accuracy.mean, r.evaluation.accuracy.half_width),
               has_best ? fmt::format(", best {:.1f} % after step {}", r.best_accuracy * 100, r.best_step) : std::string());
  }
  fmt::print("checkpoint {}\n", r.checkpoint);
  if (!r.best.empty()) fmt::print("best       {}\n", r.best);
  if (!r.report.empty()) fmt::print("report     {}\n", r.report);
  if (stopped) fmt::print("go on with: innerloop train --resume --out {}\n", out);
}

int run(const TrainRequest& o) {
  if (o.help_keys) {
    print_keys();
    return kDone;
  }
  if (o.out.empty()) fail_usage("train: --out is missing; give the run folder to make");
  if (o.data.empty() && !o.resume)
    fail_usage("train: --data is missing; give a folder, a packed file, or the word synthetic");
  // From here on, so that a Ctrl-C while the data are read ends with a saved run as well.
  const std::atomic<bool>& stop = catch_stop_signals();
  Context context = o.common.make_context(o.common.run());
  ContextScope scope(context);

  meta::TrainOptions options;
  options.data = o.data;
  options.config = o.common.resolve(base_config(o));
  options.out = o.out;
  options.start = o.resume ? meta::RunStart::kResume : meta::RunStart::kNew;
  options.bad_files = o.bad_files.choice();
  options.stop = &stop;
  options.replay = o.graph.choice();
  if (options.config.supervised.system != io::System::kUmlf) {
    refuse_unread_keys(o, options.config);
    return run_train_system(std::move(options), origin_of(o), o.common.json());
  }
  meta::TrainResult result;
  {
    TrainDisplay display({options.config.outer.iterations, options.config.outer.tasks}, origin_of(o));
    options.callbacks = display.callbacks();
    result = meta::train(options);
  }
  if (o.common.json()) {
    print_json(json_of_run(result, options.config));
  } else {
    print_result(result, o.out);
  }
  return result.outcome == meta::TrainOutcome::kStopped ? kStopped : kDone;
}

}  // namespace

void add_train(CommandLine& line) {
  auto o = std::make_shared<TrainRequest>();
  CLI::App& command =
      line.add(line.app, "train", "Trains a system into a run folder: meta-training, or a comparison system with labels.",
               "Tasks are drawn from D without its labels; images of D that are held out serve the evaluations on "
               "the way. The run folder holds config.toml, log.jsonl, checkpoint.safetensors, best.safetensors and "
               "report.html. Ctrl-C saves and ends with exit code 130; --resume goes on to the same bits as a run "
               "that never stopped, and needs nothing but --out. --help-keys lists the keys.",
               "  innerloop train --data synthetic --out runs/demo --iterations 20 --set eval.episodes=20");
  command.add_option("--data", o->data, kDataHelp)
      ->type_name("D");
  command.add_option("--out", o->out, "the run folder; made when it is missing")->type_name("RUN");
  o->preset.add_to(command);
  command.add_flag("--resume", o->resume,
                   "go on from the run folder's checkpoint, under its own configuration and data");
  o->bad_files.add_to(command);
  command.add_flag("--help-keys", o->help_keys, "list every key of the configuration and exit");
  o->graph.add_to(command);
  std::vector<ShortForm> forms = training_short_forms();
  forms.push_back({"--system", {"supervised.system"}, "NAME"});
  o->common.add_to(command, std::move(forms));
  o->command = &command;
  line.on_run(command, [o] { return run(*o); });
}

}  // namespace innerloop::tools
