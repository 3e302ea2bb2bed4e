// data: inspect, pack and synth; combine has its own file.
#include "tools/command_data.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "io/inspect.h"
#include "io/pack.h"
#include "io/synthetic.h"
#include "meta/from_config.h"
#include "tools/common_options.h"
#include "tools/load_data.h"
#include "tools/messages.h"

namespace innerloop::tools {
namespace {

constexpr const char* kLayouts = "auto|folders|bimcv|kermany|cc_cxri|mapped";

// ----------------------------------------------------------------------------------------------------------------
// inspect

struct InspectCall {
  CommonOptions common;
  std::string data;
};

Json json_of_summary(const io::DataSummary& s, const std::string& data) {
  Json classes = Json::object(), sizes = Json::object(), unreadable = Json::array(), excluded = Json::array();
  Json in_several_classes = Json::object();
  for (const io::Exclusion& e : s.excluded) excluded.push_back({{"file", e.file}, {"reason", e.reason}});
  for (const io::SplitPatient& p : s.in_several_classes) in_several_classes[p.name] = p.classes;
  for (const io::ClassCount& c : s.classes) classes[c.name] = c.images;
  for (const auto& [size, count] : s.sizes) sizes[fmt::format("{}x{}", size.width, size.height)] = count;
  for (const io::SkippedFile& f : s.unreadable) unreadable.push_back({{"file", f.file}, {"reason", f.reason}});
  return {{"data", data},
          {"layout", io::name_of(s.layout)},
          {"images", s.images},
          {"classes", classes},
          {"sizes", sizes},
          {"duplicates", s.duplicates},
          {"duplicates_across_classes", s.duplicates_across_classes},
          {"unreadable", unreadable},
          {"excluded", excluded},
          {"views_dropped", s.views_dropped},
          {"views_unknown", s.views_unknown},
          {"sixteen_bit", s.deep},
          {"patients_in_several_classes", in_several_classes},
          {"groups", s.groups},
          {"ungrouped", s.ungrouped}};
}

constexpr std::size_t kShown = 20;  // of a list that --json gives whole

/// `line(i)` of the first few of `count` things, and how many more there are.
void print_some(std::size_t count, const std::function<std::string(std::size_t)>& line) {
  for (std::size_t i = 0; i < count && i < kShown; ++i) fmt::print("  {}\n", line(i));
  if (count > kShown) fmt::print("  and {} more; --json names them all\n", count - kShown);
}

void print_exclusions(const io::DataSummary& s) {
  fmt::print("\nleft out: {}, {} of them no frontal views\n", s.excluded.size(), s.views_dropped);
  print_some(s.excluded.size(),
             [&](std::size_t i) { return fmt::format("{}: {}", s.excluded[i].file, s.excluded[i].reason); });
  if (s.views_unknown > 0) fmt::print("\nkept though their view is not told: {}\n", s.views_unknown);
  if (!s.deep.empty() && static_cast<std::int64_t>(s.deep.size()) < s.images) {
    fmt::print("\nfiles of 16 bits a sample among files of 8 (they are windowed to 8): {}\n", s.deep.size());
    print_some(s.deep.size(), [&](std::size_t i) { return s.deep[i]; });
  } else if (!s.deep.empty()) {
    fmt::print("\nall files have 16 bits a sample; they are windowed to 8\n");
  }
}

void print_patients(const io::DataSummary& s) {
  if (s.ungrouped > 0) fmt::print("\nimages of no known patient: {}\n", s.ungrouped);
  if (s.in_several_classes.empty()) return;
  fmt::print("\npatients with images in several classes (each stays on one side of a split): {}\n",
             s.in_several_classes.size());
  print_some(s.in_several_classes.size(), [&](std::size_t i) {
    return fmt::format("{}: {}", s.in_several_classes[i].name, fmt::join(s.in_several_classes[i].classes, ", "));
  });
}

void print_summary(const io::DataSummary& s, const std::string& data) {
  fmt::print("{}: {} images in {} classes, {} groups; layout {}\n\nclass\n", data, s.images, s.classes.size(), s.groups,
             io::name_of(s.layout));
  for (const io::ClassCount& c : s.classes)
    fmt::print("  {:>6}  {}\n", c.images, c.name.empty() ? "(no class folders)" : c.name);
  fmt::print("\nsize, width x height\n");
  for (const auto& [size, count] : s.sizes) fmt::print("  {:>6}  {} x {}\n", count, size.width, size.height);
  fmt::print("\nexact duplicates: {} sets of files, {} of them across classes\n", s.duplicates.size(),
             s.duplicates_across_classes.size());
  const auto& shown = s.duplicates_across_classes.empty() ? s.duplicates : s.duplicates_across_classes;
  print_some(shown.size(), [&](std::size_t i) { return fmt::format("{}", fmt::join(shown[i], " = ")); });
  fmt::print("\nunreadable: {}\n", s.unreadable.size());
  print_some(s.unreadable.size(),
             [&](std::size_t i) { return fmt::format("{}: {}", s.unreadable[i].file, s.unreadable[i].reason); });
  print_exclusions(s);
  print_patients(s);
}

int inspect(const InspectCall& o) {
  const io::Config config = o.common.apply(io::Config());
  Context context = o.common.make_context(config.run);
  ContextScope scope(context);
  io::InspectOptions options;
  options.layout = config.data.layout;
  options.groups_csv = config.data.groups;
  options.seed = static_cast<std::uint64_t>(config.run.seed);
  const io::DataSummary summary = io::inspect_data(o.data, options);
  if (o.common.json()) {
    print_json(json_of_summary(summary, o.data));
  } else {
    print_summary(summary, o.data);
  }
  if (!summary.duplicates_across_classes.empty()) {
    warn(fmt::format("{}: {} sets of identical images lie in several classes; decide which class is right", o.data,
                     summary.duplicates_across_classes.size()));
  }
  return kDone;
}

void add_inspect(CommandLine& line, CLI::App& data) {
  auto o = std::make_shared<InspectCall>();
  CLI::App& command = line.add(
      data, "inspect", "Says what is in a data set before anything is trained on it.",
      "Layout, classes, sizes, exact duplicates (by pixels, so across formats too), files that cannot be read, "
      "what the layout leaves out and why, patients. Unreadable files are findings here: the exit code stays 0.",
      "  innerloop data inspect synthetic");
  command.add_option("data", o->data, kDataHelp)->required()->type_name("D");
  o->common.add_to(command, {{"--layout", {"data.layout"}, kLayouts}, {"--groups", {"data.groups"}, "F.csv"}});
  line.on_run(command, [o] { return inspect(*o); });
}

// -------------------------------------------------------------------------------------------------------------------
// pack

struct PackCall {
  CommonOptions common;
  BadFileOption bad_files;
  std::string data, out;
};

int pack(const PackCall& o) {
  io::check_replaceable_pack(o.out);
  io::Config base;
  base.data.size = 0;  // keep the images' own; out of a configuration's range, hence apply() and not resolve()
  const io::Config config = o.common.apply(base);
  Context context = o.common.make_context(config.run);
  ContextScope scope(context);
  const io::ImageSet set = load_data(o.data, meta::load_options(config), o.bad_files);
  io::write_packed(o.out, set);
  const std::string hash = set.hash();
  if (o.common.json()) {
    print_json({{"out", o.out},
                {"images", set.count()},
                {"classes", set.classes.size()},
                {"height", set.height},
                {"width", set.width},
                {"channels", set.channels},
                {"inverted", set.invert == io::Invert::kYes},
                {"skipped", set.skipped.size()},
                {"bytes", std::filesystem::file_size(o.out)},
                {"data_hash", hash}});
  } else {
    fmt::print("{}: {} images of {}x{}x{} in {} classes, {:.1f} MB, hash {}\n", o.out, set.count(), set.height,
               set.width, set.channels, set.classes.size(),
               static_cast<double>(std::filesystem::file_size(o.out)) * 1e-6, hash.substr(0, 12));
  }
  return kDone;
}

void add_pack(CommandLine& line, CLI::App& data) {
  auto o = std::make_shared<PackCall>();
  CLI::App& command =
      line.add(data, "pack", "Writes a data set as one file.",
               "The file opens at once and serves wherever a data set is asked for. Without --size the images keep "
               "theirs, and must all agree.",
               "  innerloop data pack synthetic --out xrays.pack --size 64");
  command.add_option("data", o->data, kDataHelp)->required()->type_name("D");
  command.add_option("--out", o->out, "the packed file")->required()->type_name("F");
  o->bad_files.add_to(command);
  o->common.add_to(command, {{"--size", {"data.size"}},
                             {"--channels", {"data.channels"}, "1|3"},
                             {"--invert", {"data.invert"}, "true|false"},
                             {"--layout", {"data.layout"}, kLayouts},
                             {"--groups", {"data.groups"}, "F.csv"}});
  line.on_run(command, [o] { return pack(*o); });
}

// ------------------------------------------------------------------------------------------------------------------
// synth

struct SynthCall {
  CommonOptions common;
  std::string out;
  std::int64_t per_class = io::SyntheticOptions().per_class;
};

int synth(const SynthCall& o) {
  io::Config base;
  base.data.size = io::kSyntheticSize;
  const io::Config config = o.common.apply(base);  // no network here that the images could be too small for
  Context context = o.common.make_context(config.run);
  ContextScope scope(context);
  io::SyntheticOptions options;
  options.per_class = o.per_class;
  options.size = config.data.size;
  options.channels = config.data.channels;
  options.seed = static_cast<std::uint64_t>(config.run.seed);
  io::write_synthetic(o.out, options);
  const std::int64_t images = o.per_class * io::kFindingCount;
  if (o.common.json()) {
    print_json({{"out", o.out},
                {"images", images},
                {"classes", io::kFindingCount},
                {"per_class", o.per_class},
                {"size", options.size},
                {"seed", config.run.seed}});
  } else {
    fmt::print("{}: {} images of {}x{} in {} classes\n", o.out, images, options.size, options.size, io::kFindingCount);
  }
  return kDone;
}

void add_synth(CommandLine& line, CLI::App& data) {
  auto o = std::make_shared<SynthCall>();
  CLI::App& command =
      line.add(data, "synth", "Draws synthetic chest X-rays as PNG files, one folder a finding.",
               "They serve tests, benchmarks and first steps: procedural pictures, not medical images. The same "
               "seed gives the same files. Sides of 16 to 1024 pixels are possible.",
               "  innerloop data synth --out xrays --per-class 40");
  command.add_option("--out", o->out, "the folder; must be missing or empty")->required()->type_name("DIR");
  command.add_option("--per-class", o->per_class, "images of each finding")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000}))
      ->capture_default_str()
      ->type_name("N");
  o->common.add_to(command, {{"--size", {"data.size"}}, {"--channels", {"data.channels"}, "1|3"}});
  line.on_run(command, [o] { return synth(*o); });
}

}  // namespace

void add_data(CommandLine& line) {
  CLI::App& data =
      line.add(line.app, "data", "Looks into data sets, packs and combines them, and draws synthetic ones.", "",
               "  innerloop data inspect synthetic");
  data.require_subcommand(1);
  add_inspect(line, data);
  add_pack(line, data);
  add_combine(line, data);
  add_synth(line, data);
}

}  // namespace innerloop::tools
