#include "tools/system_answers.h"

#include <fmt/core.h>

#include "io/atomic_file.h"
#include "io/report.h"
#include "meta/from_config.h"
#include "meta/holdout.h"
#include "meta/run_report.h"
#include "meta/system_checkpoint.h"
#include "meta/system_evaluation.h"
#include "tools/command.h"
#include "tools/evaluation_output.h"
#include "tools/messages.h"
#include "tools/prediction_line.h"
#include "tools/query_images.h"

namespace innerloop::tools {
namespace {

/// The run's own settings, without what belongs to the machine that it ran on.
io::Config config_of(const meta::SystemCheckpoint& checkpoint, const CommonOptions& common, const char* command) {
  io::Config base = checkpoint.config;
  base.run.threads = 0;
  base.run.device = io::DeviceChoice::kAuto;
  const io::Config config = common.resolve(base);
  if (config.supervised != base.supervised || config.data.size != base.data.size ||
      config.data.channels != base.data.channels)
    fail_usage("{}: keys of [supervised], data.size and data.channels cannot be set here; the checkpoint fixes them",
               command);
  if (config.eval != base.eval)
    fail_usage("{}: keys of [eval] are of few-shot episodes, and {} answers without; leave them out", command,
               io::name_of(config.supervised.system));
  return config;
}

}  // namespace

int eval_system(const SystemEval& asked, const CommonOptions& common, const BadFileOption& bad_files) {
  const meta::SystemCheckpoint checkpoint = meta::load_system(asked.checkpoint);
  const meta::TrainedSystem system = checkpoint.system(asked.checkpoint);
  const io::Config config = config_of(checkpoint, common, "eval");
  // The held-out part and the synthetic images are functions of the run's seed.
  io::LoadOptions load = meta::load_options(config);
  load.seed = static_cast<std::uint64_t>(checkpoint.config.run.seed);
  io::ImageSet set = load_data(asked.data, load, bad_files);
  const std::string hash = set.hash();
  if (asked.part == Part::kHeldOut) {
    IL_CHECK(hash == checkpoint.data_hash,
             "{}: not the data set that {} was trained on, so nothing of it was held out; leave --part held-out out",
             asked.data, asked.checkpoint);
    set = meta::split_groups(set, checkpoint.config).held_out;
    IL_CHECK(set.count() > 0, "{}: was trained with data.holdout = 0; leave --part held-out out", asked.checkpoint);
  } else if (hash == checkpoint.data_hash) {
    warn(fmt::format(
        "{} is the data set that this checkpoint was trained on; --part held-out keeps to the images that training "
        "never saw",
        asked.data));
  }
  const meta::EvalResult result = meta::evaluate_system(system, set, hash);
  if (!asked.report.empty()) {
    io::ReportData report = meta::report_of_evaluation(result);
    report.config_toml = io::to_toml(config);
    report.cautions = meta::cautions_about(set);
    io::write_file(asked.report, io::render_report(report));
    say(fmt::format("report: {}", asked.report));
  }
  if (common.json()) {
    Json object = json_of_images(result);
    object["checkpoint"] = asked.checkpoint;
    object["step"] = checkpoint.state.step();
    object["part"] = asked.part == Part::kAll ? "all" : "held-out";
    print_json(object);
  } else {
    print_evaluation(result);
  }
  return kDone;
}

int predict_system(const std::string& checkpoint_path, const std::vector<std::string>& images,
                   const CommonOptions& common, const BadFileOption& bad_files) {
  const meta::SystemCheckpoint checkpoint = meta::load_system(checkpoint_path);
  const meta::TrainedSystem system = checkpoint.system(checkpoint_path);
  io::LoadOptions load = meta::load_options(config_of(checkpoint, common, "predict"));
  load.cache.clear();  // the cache and the groups are the training set's
  load.groups_csv.clear();
  load.layout = io::Layout::kAuto;  // that of the training set says nothing of these images
  const QueryImages queries = load_query_images(images, load, bad_files);
  const Tensor p = meta::probabilities(system, queries.pixels);
  const std::size_t ways = system.classes.size();
  for (std::size_t i = 0; i < queries.names.size(); ++i)
    print_json(prediction_line(queries.names[i], system.classes, p.data<float>().subspan(i * ways, ways)));
  return kDone;
}

}  // namespace innerloop::tools
