// reproduce: the paper's comparison by one command.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "io/progress.h"
#include "meta/from_config.h"
#include "meta/reproduce/budget.h"
#include "meta/reproduce/classes.h"
#include "meta/reproduce/report_files.h"
#include "meta/reproduce/runner.h"
#include "meta/reproduce/settings.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/load_data.h"
#include "tools/messages.h"
#include "tools/stop_signal.h"

namespace innerloop::tools {
namespace {

namespace rp = meta::reproduce;

struct ReproduceRequest {
  CommonOptions common;
  BadFileOption bad_files;
  std::string data, out, budget;
  std::vector<std::string> systems, classes, sizes;
  std::vector<std::int64_t> ways = {3, 4}, shots = {1, 5, 10};
  std::int64_t folds = 10;
  bool report_only = false;
  const CLI::App* command = nullptr;  ///< after parsing: which options were given
};

/// The report alone reads the run folder: what else was given would be ignored.
void refuse_beside_report_only(const ReproduceRequest& o) {
  for (const CLI::Option* option : o.command->get_options()) {
    const std::string name = option->get_name();
    if (option->count() > 0 && name != "--out" && name != "--report-only" && name != "--json")
      fail_usage("reproduce: --report-only reads the run folder and nothing else; leave {} out, or leave out --report-only", name);
  }
}

/// A side for a system that this call does not compare, nor an earlier one into the same folder, is a slip.
void check_sizes(const ReproduceRequest& o) {
  const rp::Manifest saved = rp::has_manifest(o.out) ? rp::read_manifest(o.out) : rp::Manifest();
  const std::vector<rp::Contestant> systems = rp::choose_contestants(o.systems);
  for (const auto& [key, side] : rp::parse_sizes(o.sizes)) {
    if (std::ranges::find(systems, key, &rp::Contestant::key) == systems.end() &&
        std::ranges::find(saved.systems, key) == saved.systems.end() && !saved.sizes.contains(key))
      fail_usage("--size-of: {}={}: {} is not compared; add it to --systems, or leave its side out", key, side, key);
  }
}

/// Numbers of images or classes: each at least `least`.
void check_numbers(const std::vector<std::int64_t>& values, const char* option, std::int64_t least) {
  for (const std::int64_t v : values)
    if (v < least) fail_usage("{}: {} was asked for; {} is the least", option, v, least);
}

/// Shows a comparison on stderr: one line a part, and a counter while a long part works.
class Display {
 public:
  rp::RunCallbacks callbacks() {
    return {.on_part = [this](const rp::RunProgress& p) { part(p); },
            .on_meta_step = [this](const std::string& name, std::int64_t done,
                                   std::int64_t all) { meta_step(name, done, all); },
            .on_message = [](const std::string& text) { say(text); }};
  }

 private:
  void part(const rp::RunProgress& p) {
    counter_ = nullptr;
    say(fmt::format("{}/{}  {}  left {}", p.done, p.total, p.part, io::format_duration(p.seconds_left)));
  }

  void meta_step(const std::string& name, std::int64_t done, std::int64_t all) {
    if (io::progress_style_of_stderr() == io::ProgressStyle::kLines) return;  // a file wants whole parts alone
    if (!counter_) counter_ = counting_progress(name);
    counter_(done, all);
  }

  std::function<void(std::int64_t, std::int64_t)> counter_;
};

const char* word_of(rp::RunEnd end) {
  return end == rp::RunEnd::kFinished ? "finished" : end == rp::RunEnd::kStopped ? "stopped" : "out of time";
}

Json json_of_run_result(const rp::RunResult& r) {
  return {{"outcome", word_of(r.end)}, {"parts_done", r.done}, {"parts_reused", r.reused}, {"parts_failed", r.failed},
          {"parts_left", r.left},      {"scale", r.scale},     {"seconds", r.seconds}};
}

void print_files(const rp::ReportFiles& files, const std::string& out, std::int64_t left) {
  fmt::print("{} of {} units\n", files.units, files.planned);
  fmt::print("report     {}\nfor programs {}\ntables     {}\n           {}\n", files.html, files.json, files.csv,
             files.markdown);
  if (left > 0) fmt::print("go on with the same command: nothing in {} is done twice\n", out);
}

int report(const ReproduceRequest& o, const rp::RunResult* result) {
  const rp::ReportFiles files = rp::write_report_files(o.out);
  const std::int64_t left = result != nullptr ? result->left : files.planned - files.units;
  if (o.common.json()) {
    Json json = result != nullptr ? json_of_run_result(*result) : Json::object();
    json["units"] = files.units;
    json["units_planned"] = files.planned;
    json["report"] = files.html;
    json["report_json"] = files.json;
    json["tables_csv"] = files.csv;
    json["tables_md"] = files.markdown;
    print_json(json);
    return kDone;
  }
  if (result != nullptr)
    fmt::print("{} after {}: {} parts done, {} taken over, {} given up, {} left\n", word_of(result->end),
               io::format_duration(result->seconds), result->done, result->reused, result->failed, result->left);
  print_files(files, o.out, left);
  return kDone;
}

rp::RunOptions run_options(const ReproduceRequest& o, const io::Config& config, const io::ImageSet& set) {
  rp::RunOptions r;
  r.config = config;
  r.plan.classes = rp::paper_classes(set.classes, o.classes);
  r.plan.ways = o.ways;
  r.plan.shots = o.shots;
  r.plan.folds = o.folds;
  r.plan.seed = static_cast<std::uint64_t>(config.run.seed);
  r.systems = rp::choose_contestants(o.systems);
  r.sizes = rp::parse_sizes(o.sizes);
  r.images_at = [&o, &config](std::int64_t side) {
    io::LoadOptions load = meta::load_options(config);
    load.size = side;
    load.cache.clear();  // it is of the images at --size
    load.bad_files = o.bad_files.choice();
    load.progress = counting_progress(fmt::format("reading {} at {}x{}", o.data, side, side));
    return io::load_images(o.data, load);  // what there is to warn of was said when they were first read
  };
  r.budget = o.budget.empty() ? 0 : rp::parse_duration(o.budget, "--budget");
  r.data = o.data;
  r.folder = o.out;
  return r;
}

int run(const ReproduceRequest& o) {
  if (o.out.empty()) fail_usage("reproduce: --out is missing; give the run folder to make or to go on with");
  if (o.report_only) {
    refuse_beside_report_only(o);
    return report(o, nullptr);
  }
  if (o.data.empty())
    fail_usage("reproduce: --data is missing; give a folder, a packed file, or the word synthetic (or --report-only)");
  // What can be said without the data is said before they are read.
  check_numbers(o.ways, "--ways", 2);
  check_numbers(o.shots, "--shots", 1);
  check_numbers({o.folds}, "--folds", 2);
  check_sizes(o);
  if (!o.budget.empty()) rp::parse_duration(o.budget, "--budget");
  const std::atomic<bool>& stop = catch_stop_signals();
  Context context = o.common.make_context(o.common.run());
  ContextScope scope(context);
  const io::Config config = o.common.resolve(rp::default_config());
  check_numbers({config.outer.iterations, config.supervised.iterations}, "--iterations", 1);
  const io::ImageSet set = load_data(o.data, meta::load_options(config), o.bad_files);

  rp::RunOptions options = run_options(o, config, set);
  options.stop = &stop;
  Display display;
  options.callbacks = display.callbacks();
  const rp::RunResult result = rp::run_comparison(set, options);
  if (result.units > 0) {
    report(o, &result);
  } else if (o.common.json()) {
    print_json(json_of_run_result(result));
  } else {
    fmt::print("{} before the first answer; go on with the same command\n", word_of(result.end));
  }
  if (result.end == rp::RunEnd::kStopped) return kStopped;
  return kDone;
}

}  // namespace

void add_reproduce(CommandLine& line) {
  auto o = std::make_shared<ReproduceRequest>();
  CLI::App& command = line.add(line.app, "reproduce",
                               "The comparison of the UMLF-COVID paper: all systems, cross-validated, with a report.",
                               "For every fold (by patient) and number of ways all systems get the same labelled "
                               "images and the same test images. umlf is meta-trained without labels on the fold's "
                               "training part and adapted on the labelled images; the seven supervised systems train "
                               "on them. RUN holds plan.json, units/ (one file a system, shots and fold), report.html, "
                               "report.json, tables.csv and tables.md. Ctrl-C saves and ends with exit code 130; the "
                               "same command goes on and does nothing twice. --budget measures what every system costs "
                               "and gives all of them fewer iterations alike, so that the whole fits. Classes: "
                               "COVID-19, normal, viral (or pneumonia), bacterial, by the names that the data set has "
                               "for them.",
                               "  innerloop reproduce --data synthetic --out runs/paper --systems untrained,lenet5 "
                               "--ways 3 --shots 1,5 --folds 3 --size 32 --iterations 20\n"
                               "  innerloop reproduce --out runs/paper --report-only");
  command.add_option("--data", o->data, kDataHelp)->type_name("D");
  command.add_option("--out", o->out, "the run folder; made when it is missing")->type_name("RUN");
  command
      .add_option("--systems", o->systems,
                  "which to compare (default all): umlf, umlf_instances, untrained, lenet5, alexnet, vgg19, covxnet, "
                  "cnn_lstm, cnn_rnn, emcnet")
      ->delimiter(',')
      ->type_name("LIST");
  command
      .add_option("--size-of", o->sizes,
                  "a comparison system that sees NxN images in place of --size, as in vgg19=32: the same images, folds "
                  "and labels; repeatable, and part of what RUN compares: give it in every call")
      ->allow_extra_args(false)
      ->type_name("SYSTEM=N");
  command.add_option("--classes", o->classes, "classes in the order of use; an n-way problem has the first n")
      ->delimiter(',')
      ->type_name("LIST");
  command.add_option("--ways", o->ways, "numbers of classes")->delimiter(',')->type_name("LIST")->capture_default_str();
  command.add_option("--shots", o->shots, "labelled images a class")
      ->delimiter(',')
      ->type_name("LIST")
      ->capture_default_str();
  command.add_option("--folds", o->folds, "folds of the cross-validation")->type_name("N")->capture_default_str();
  command.add_option("--budget", o->budget, "time for the whole: 90s, 15m, 2h, 1h30m, 1d")->type_name("TIME");
  command.add_flag("--report-only", o->report_only, "write the report of RUN again and do nothing else");
  o->bad_files.add_to(command);
  o->common.add_to(command,
                   {{"--size", {"data.size"}}, {"--iterations", {"outer.iterations", "supervised.iterations"}}});
  o->command = &command;
  line.on_run(command, [o] { return run(*o); });
}

}  // namespace innerloop::tools
