// eval: labelled few-shot episodes from a checkpoint.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <memory>

#include "io/atomic_file.h"
#include "io/report.h"
#include "meta/checkpoint.h"
#include "meta/evaluator.h"
#include "meta/from_config.h"
#include "meta/head.h"
#include "meta/holdout.h"
#include "meta/run_report.h"
#include "meta/system_checkpoint.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/evaluation_output.h"
#include "tools/load_data.h"
#include "tools/messages.h"
#include "tools/output_check.h"
#include "tools/stop_signal.h"
#include "tools/system_answers.h"

namespace innerloop::tools {
namespace {

/// Where an episode's adaptation starts.
enum class Start { kCheckpoint, kUntrained, kFresh };

struct EvalRequest {
  CommonOptions common;
  BadFileOption bad_files;
  std::string checkpoint, data, report;
  std::string part_word = "all", start_word = "checkpoint", small_classes_word = "error";

  Part part() const { return part_word == "all" ? Part::kAll : Part::kHeldOut; }
  Start start() const {
    return start_word == "checkpoint" ? Start::kCheckpoint : start_word == "untrained" ? Start::kUntrained : Start::kFresh;
  }
  meta::SmallClasses small_classes() const {
    return small_classes_word == "error" ? meta::SmallClasses::kError : meta::SmallClasses::kLeaveOut;
  }
};

/// The run's own settings, without what belongs to the machine that it ran on.
io::Config config_of(const meta::Checkpoint& checkpoint, const CommonOptions& common) {
  io::Config base = checkpoint.config;
  base.run.threads = 0;
  base.run.device = io::DeviceChoice::kAuto;
  io::Config config = common.resolve(base);
  if (config.model != base.model || config.data.size != base.data.size || config.data.channels != base.data.channels) {
    fail_usage("eval: keys of [model], data.size and data.channels cannot be set here; the checkpoint fixes them");
  }
  return config;
}

io::ImageSet chosen_part(io::ImageSet set, const std::string& hash, const meta::Checkpoint& checkpoint,
                         const EvalRequest& o) {
  if (o.part() == Part::kAll) return set;
  IL_CHECK(hash == checkpoint.data_hash,
           "{}: not the data set that {} was trained on, so nothing of it was held out; leave --part held-out out",
           o.data, o.checkpoint);
  io::ImageSet held_out = meta::split_data(set, checkpoint.config).held_out;
  IL_CHECK(held_out.count() > 0, "{}: was trained with data.holdout = 0; leave --part held-out out", o.checkpoint);
  return held_out;
}

/// The held-out split and the synthetic images are functions of the run's seed; --seed draws other episodes of the same
/// data.
io::LoadOptions data_options(const io::Config& config, const meta::Checkpoint& checkpoint) {
  io::LoadOptions options = meta::load_options(config);
  options.seed = static_cast<std::uint64_t>(checkpoint.config.run.seed);
  return options;
}

/// An evaluation is long, so what is wrong with the report's place is said before it.
void check_report(const EvalRequest& o) {
  if (o.report.empty()) return;
  refuse_to_replace_input("--report", o.report, {o.checkpoint, o.data});
  check_writable(o.report);
}

void print(const meta::EvalResult& result, const EvalRequest& o, const io::Config& config, std::int64_t step) {
  if (!o.common.json()) return print_evaluation(result);
  Json object = json_of(result, config);
  object["checkpoint"] = o.checkpoint;
  object["step"] = step;
  object["part"] = o.part_word;
  object["threads"] = Context::current().threads().threads();
  print_json(object);
}

void write_report(const meta::EvalResult& result, const EvalRequest& o, const io::Config& config, const io::ImageSet& set) {
  if (o.report.empty()) return;
  io::ReportData report = meta::report_of_evaluation(result);
  report.config_toml = io::to_toml(config);
  report.cautions = meta::cautions_about(set);
  io::write_file(o.report, io::render_report(report));
  say(fmt::format("report: {}", o.report));
}

int run(const EvalRequest& o) {
  const std::atomic<bool>& stop = catch_stop_signals();
  Context context = o.common.make_context(o.common.run());
  ContextScope scope(context);
  check_report(o);
  if (meta::is_system_checkpoint(o.checkpoint)) {
    if (o.start() != Start::kCheckpoint)
      fail_usage("eval: {} is a comparison system's; --start is for meta-trained networks", o.checkpoint);
    return eval_system({o.checkpoint, o.data, o.report, o.part()}, o.common, o.bad_files);
  }
  const meta::Checkpoint checkpoint = meta::load_checkpoint(o.checkpoint);
  const io::Config config = config_of(checkpoint, o.common);
  io::ImageSet whole = load_data(o.data, data_options(config, checkpoint), o.bad_files);
  const std::string hash = whole.hash();
  const io::ImageSet set = chosen_part(std::move(whole), hash, checkpoint, o);

  meta::Network network = meta::network_for(checkpoint.net(), checkpoint.params, config.eval.ways);
  meta::EvalOptions options = meta::eval_options(config);
  options.episode.small_classes = o.small_classes();
  options.data_hash = hash;  // of the whole data set, of which --part may take a part
  options.stop = &stop;
  options.progress = counting_progress("episode");
  if (o.start() == Start::kUntrained) network.params = network.net.init(static_cast<std::uint64_t>(config.run.seed));
  if (o.start() == Start::kFresh) options.fresh_init = meta::FreshInit::kPerEpisode;

  meta::check_evaluation(network.net, set, options);  // before any word: an error should stand alone
  if (!network.note.empty()) say(network.note);
  if (o.part() == Part::kAll && o.start() == Start::kCheckpoint && hash == checkpoint.data_hash) {
    warn(
        fmt::format("{} is the data set that this checkpoint was trained on; --part held-out keeps to the images that "
                    "training never saw",
                    o.data));
  }
  const meta::EvalResult result = meta::evaluate(network.net, network.params, set, options);
  if (result.outcome == meta::EvalOutcome::kStopped) {
    say("stopped before the last episode; there is no result");
    return kStopped;
  }
  for (const meta::LeftOutClass& c : result.left_out)
    warn(fmt::format("class '{}' is left out: {} images are too few for an episode", c.name, c.images));
  print(result, o, config, checkpoint.step);
  write_report(result, o, config, set);
  return kDone;
}

}  // namespace

void add_eval(CommandLine& line) {
  auto o = std::make_shared<EvalRequest>();
  CLI::App& command =
      line.add(line.app, "eval", "Measures a checkpoint on labelled few-shot episodes.",
               "Adapts on each support set, predicts the query images, and gives accuracy with its 95 % interval, "
               "precision, recall, F1, ROC-AUC, PR-AUC, the confusion matrix and the protocol. Settings come from "
               "the checkpoint; options change them. When --ways differs from the ways of training, the head starts "
               "from zero and is adapted on the support images. A checkpoint of `train --system` needs no episodes: it answers "
               "every image of D once, and the interval is over images.",
               "  innerloop eval runs/demo/best.safetensors --data synthetic --episodes 50");
  command.add_option("checkpoint", o->checkpoint, "a checkpoint of a run, or a file of parameters")
      ->required()
      ->type_name("CKPT");
  command.add_option("--data", o->data, kDataHelp)
      ->required()
      ->type_name("D");
  command.add_option("--part", o->part_word, "all images, or those that the run held out of the same data (default: all)")
      ->check(CLI::IsMember({"all", "held-out"}))
      ->type_name("all|held-out");
  command
      .add_option(
          "--start", o->start_word,
          "baselines: adapt from the checkpoint (default), from one random start, or from a fresh one an episode")
      ->check(CLI::IsMember({"checkpoint", "untrained", "fresh"}))
      ->type_name("checkpoint|untrained|fresh");
  command
      .add_option("--small-classes", o->small_classes_word,
                  "a class with fewer images than shots + queries: an error (default), or left out and named")
      ->check(CLI::IsMember({"error", "leave-out"}))
      ->type_name("error|leave-out");
  command.add_option("--report", o->report, "also write the result as one HTML page")->type_name("F.html");
  o->bad_files.add_to(command);
  o->common.add_to(command, {{"--ways", {"eval.ways"}},
                             {"--shots", {"eval.shots"}},
                             {"--queries", {"eval.queries"}},
                             {"--episodes", {"eval.episodes"}},
                             {"--steps", {"eval.steps"}},
                             {"--norm", {"eval.norm"}, "batch|support"}});
  line.on_run(command, [o] { return run(*o); });
}

}  // namespace innerloop::tools
