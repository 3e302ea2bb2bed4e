// episodes: a picture of drawn tasks.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <memory>
#include <span>

#include "io/atomic_file.h"
#include "meta/episode_sheet.h"
#include "meta/from_config.h"
#include "meta/holdout.h"
#include "meta/task_source.h"
#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/load_data.h"
#include "tools/messages.h"
#include "tools/output_check.h"
#include "tools/run_config.h"

namespace innerloop::tools {
namespace {

struct EpisodesRequest {
  CommonOptions common;
  PresetOption preset;
  BadFileOption bad_files;
  std::string data, out;
  std::int64_t step = 1;
};

int run(const EpisodesRequest& o) {
  constexpr std::int64_t kTasksShown = 4;
  refuse_to_replace_input("--out", o.out, {o.data});
  io::Config base = o.preset.base(o.data, o.common);
  base.outer.tasks = std::min(base.outer.tasks, kTasksShown);
  const io::Config config = o.common.apply(base);
  Context context = o.common.make_context(config.run);
  ContextScope scope(context);

  const io::ImageSet whole = load_data(o.data, meta::load_options(config), o.bad_files);
  const io::ImageSet set = meta::split_data(whole, config).train;
  say(o.preset.origin(o.data, o.common));
  const meta::TaskSource source(set, meta::task_source_options(config));
  const io::Image sheet = meta::episode_sheet(source.draw(o.step - 1), {.ways = config.task.ways});
  const std::vector<std::uint8_t> png = io::encode_png(sheet);
  io::write_file(o.out, std::as_bytes(std::span(png)));

  if (o.common.json()) {
    print_json({{"out", o.out},
                {"width", sheet.width},
                {"height", sheet.height},
                {"tasks", config.outer.tasks},
                {"ways", config.task.ways},
                {"shots", config.task.shots},
                {"queries", config.task.queries},
                {"scheme", io::name_of(config.task.scheme)},
                {"step", o.step},
                {"seed", config.run.seed}});
  } else {
    fmt::print("{}: {} tasks of {} classes, support left, augmented queries right, {}x{} pixels\n", o.out,
               config.outer.tasks, config.task.ways, sheet.width, sheet.height);
  }
  return kDone;
}

}  // namespace

void add_episodes(CommandLine& line) {
  auto o = std::make_shared<EpisodesRequest>();
  CLI::App& command =
      line.add(line.app, "episodes", "Draws a picture of training tasks.",
               "It shows the first tasks of a meta-step, as training under the same options and seed sees them: a "
               "row a class, support images left of their augmented queries. Look at it before you train: can you "
               "match query to support yourself?",
               "  innerloop episodes --data synthetic --out sheet.png --tasks 3");
  command.add_option("--data", o->data, kDataHelp)
      ->required()
      ->type_name("D");
  command.add_option("--out", o->out, "the picture, a PNG file")->required()->type_name("sheet.png");
  command.add_option("--step", o->step, "which meta-step's tasks")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31))
      ->capture_default_str()
      ->type_name("N");
  o->preset.add_to(command);
  o->bad_files.add_to(command);
  std::vector<ShortForm> forms = training_short_forms();
  std::erase_if(forms, [](const ShortForm& f) { return f.option == "--steps" || f.option == "--iterations"; });
  o->common.add_to(command, forms);
  line.on_run(command, [o] { return run(*o); });
}

}  // namespace innerloop::tools
