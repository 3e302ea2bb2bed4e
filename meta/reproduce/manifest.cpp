#include "meta/reproduce/manifest.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "io/atomic_file.h"
#include "io/sha256.h"
#include "meta/run_folder.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr const char* kFormat = "innerloop-comparison";

/// The text of what decides an answer; where the work runs does not.
std::string decisive_config(io::Config config) {
  config.run.threads = 0;
  config.run.device = io::DeviceChoice::kAuto;
  config.run.records = io::StepRecords::kAuto;
  config.run.checkpoint_every = io::RunConfig{}.checkpoint_every;
  config.data.cache.clear();
  config.data.groups.clear();  // the data set's hash knows the patients
  return io::to_toml(config);
}

Json json_of(const DataFacts& d) {
  Json skipped = Json::array();
  for (const io::SkippedFile& f : d.skipped) skipped.push_back({f.file, f.reason});
  return {{"name", d.name},         {"path", d.path},         {"hash", d.hash},           {"size", d.size},
          {"channels", d.channels}, {"patients", d.patients}, {"ungrouped", d.ungrouped}, {"classes", d.classes},
          {"images", d.images},     {"skipped", skipped},     {"layout", d.layout},       {"cautions", d.cautions}};
}

DataFacts data_from(const Json& j) {
  DataFacts d;
  d.name = j.at("name");
  d.path = j.at("path");
  d.hash = j.at("hash");
  d.size = j.at("size");
  d.channels = j.at("channels");
  d.patients = j.at("patients");
  d.ungrouped = j.at("ungrouped");
  d.classes = j.at("classes").get<std::vector<std::string>>();
  d.images = j.at("images").get<std::vector<std::int64_t>>();
  d.layout = j.at("layout");
  d.cautions = j.at("cautions").get<std::vector<std::string>>();
  for (const Json& f : j.at("skipped")) d.skipped.push_back({f.at(0), f.at(1)});
  return d;
}

Manifest manifest_from(const Json& j, const std::string& path) {
  Manifest m;
  m.data = data_from(j.at("data"));
  io::apply_toml_text(m.config, j.at("config").get<std::string>(), path);
  m.scale = j.at("scale");
  m.budget = j.at("budget");
  m.plan.classes = j.at("classes").get<std::vector<std::string>>();
  m.plan.ways = j.at("ways").get<std::vector<std::int64_t>>();
  m.plan.shots = j.at("shots").get<std::vector<std::int64_t>>();
  m.plan.folds = j.at("folds");
  m.plan.seed = j.at("seed");
  m.systems = j.at("systems").get<std::vector<std::string>>();
  for (const std::string& key : m.systems)
    IL_CHECK(is_contestant(key), "{}: no system is named '{}'; start anew in another folder", path, key);
  if (j.contains("sizes")) m.sizes = j.at("sizes").get<Sizes>();
  for (const Json& e : j.at("exclusions")) m.exclusions.push_back({e.at("what"), e.at("why")});
  m.cpu = j.at("cpu");
  m.threads = j.at("threads");
  m.units = j.at("units");
  m.cost = j.at("cost").get<std::map<std::string, double>>();
  return m;
}

}  // namespace

DataFacts facts_of(const io::ImageSet& set, const std::string& path) {
  DataFacts d;
  d.name = set.name;
  d.path = path;
  d.hash = set.hash();
  d.size = set.height;
  d.channels = set.channels;
  d.patients = static_cast<std::int64_t>(std::set<std::int64_t>(set.groups.begin(), set.groups.end()).size());
  d.ungrouped = set.ungrouped;
  d.classes = set.classes;
  for (const auto& members : set.by_class()) d.images.push_back(static_cast<std::int64_t>(members.size()));
  d.skipped = set.skipped;
  d.layout = io::name_of(set.layout);
  d.cautions = set.cautions;
  return d;
}

std::string Manifest::hash() const {
  io::Sha256 sum;
  sum.add_text(data.hash).add_number(plan.folds).add_number(static_cast<std::int64_t>(plan.seed));
  for (const std::string& name : plan.classes) sum.add_text(name);
  if (!sizes.empty()) sum.add_text(words_of(sizes));
  return sum.add_text(decisive_config(config)).add_text(fmt::format("{}", scale)).hex();
}

std::string manifest_path(const std::string& run_folder) { return run_folder + "/plan.json"; }

bool has_manifest(const std::string& run_folder) { return std::filesystem::exists(manifest_path(run_folder)); }

void write_manifest(const std::string& run_folder, const Manifest& m) {
  Json exclusions = Json::array();
  for (const Exclusion& e : m.exclusions) exclusions.push_back({{"what", e.what}, {"why", e.why}});
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"hash", m.hash()},
               {"data", json_of(m.data)},
               {"classes", m.plan.classes},
               {"ways", m.plan.ways},
               {"shots", m.plan.shots},
               {"folds", m.plan.folds},
               {"seed", m.plan.seed},
               {"systems", m.systems},
               {"budget", m.budget},
               {"scale", m.scale},
               {"units", m.units},
               {"cost", m.cost},
               {"cpu", m.cpu},
               {"threads", m.threads},
               {"exclusions", exclusions},
               {"config", io::to_toml(m.config)}};
  if (!m.sizes.empty()) json["sizes"] = m.sizes;
  io::write_file(manifest_path(run_folder), json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

Manifest read_manifest(const std::string& run_folder) {
  const std::string path = manifest_path(run_folder);
  if (!has_manifest(run_folder))
    fail_usage(
        "--out: {} holds no comparison (there is no plan.json); name the folder of one, or start one with --data",
        run_folder);
  const Json json = Json::parse(io::read_file(path), nullptr, false);
  IL_CHECK(json.is_object() && json.contains("format") && json["format"] == kFormat,
           "{}: this is no plan of a comparison, or one that is cut short; name another folder", path);
  try {
    const int version = json.at("version");
    IL_CHECK(version == kVersion, "{}: a plan of version {}; this program reads version {}", path, version, kVersion);
    return manifest_from(json, path);
  } catch (const Json::exception& e) {
    fail("{}: the plan is damaged ({}); start anew in another folder", path, e.what());
  }
}

void check_same_comparison(const Manifest& saved, const Manifest& asked, const std::string& run_folder) {
  const auto differs = [&](const char* what, const auto& a, const auto& b) {
    fail_usage("{}: the comparison in {} has {} and not {}; ask for the same, or name another folder", what, run_folder,
               a, b);
  };
  if (saved.data.hash != asked.data.hash)
    fail_usage(
        "--data: {} is not the data set of the comparison in {} ({}, at the same size and with the same patients); "
        "name another folder",
        asked.data.path, run_folder, saved.data.path);
  if (saved.plan.folds != asked.plan.folds) differs("--folds", saved.plan.folds, asked.plan.folds);
  if (saved.plan.seed != asked.plan.seed) differs("--seed", saved.plan.seed, asked.plan.seed);
  if (saved.plan.classes != asked.plan.classes)
    differs("--classes", fmt::format("{}", fmt::join(saved.plan.classes, ",")),
            fmt::format("{}", fmt::join(asked.plan.classes, ",")));
  if (saved.sizes != asked.sizes) differs("--size-of", words_of(saved.sizes), words_of(asked.sizes));
  if (decisive_config(saved.config) != decisive_config(asked.config)) {
    check_same_run(saved.config, asked.config, run_folder);
    fail_usage("reproduce: the comparison in {} has another configuration; ask for the same, or name another folder",
               run_folder);
  }
}

}  // namespace innerloop::meta::reproduce
