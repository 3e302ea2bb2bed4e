#include "meta/reproduce/unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "meta/reproduce/contestants.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr const char* kFailed = ".failed";

template <class T>
T field(const Json& json, const char* name, const std::string& source) {
  const auto found = json.find(name);
  IL_CHECK(found != json.end(), "{}: the unit has no field '{}'; delete the file and run again", source, name);
  try {
    return found->get<T>();
  } catch (const Json::exception&) {
    fail("{}: field '{}' is not of the kind that a unit has; delete the file and run again", source, name);
  }
}

void check_lists(const UnitResult& u, const std::string& source) {
  const std::size_t n = u.truth.size(), ways = u.classes.size();
  IL_CHECK(
      n > 0 && ways > 0 && static_cast<std::int64_t>(ways) == u.key.ways && u.images.size() == n &&
          u.probabilities.size() == n * ways,
      "{}: {} images, {} truths, {} probabilities of {} classes do not fit each other; delete the file and run again",
      source, u.images.size(), n, u.probabilities.size(), ways);
  for (const int t : u.truth)
    IL_CHECK(t >= 0 && t < static_cast<int>(ways), "{}: truth {} is no class; delete the file and run again", source,
             t);
  for (const double p : u.probabilities)
    IL_CHECK(std::isfinite(p), "{}: a probability is not finite; delete the file and run again", source);
}

}  // namespace

std::string name_of(const UnitKey& key) {
  const std::string shots = key.shots == kAllShots ? "all" : fmt::format("{:02}", key.shots);
  return fmt::format("w{}_f{:02}_{}_k{}", key.ways, key.fold + 1, key.system, shots);
}

std::string to_json(const UnitResult& u) {
  Json pictures = Json::array();
  for (const Picture& p : u.pictures) pictures.push_back({{"file", p.file}, {"caption", p.caption}});
  const Json json = {{"version", kVersion},
                     {"plan", u.plan},
                     {"ways", u.key.ways},
                     {"fold", u.key.fold + 1},
                     {"system", u.key.system},
                     {"shots", u.key.shots},
                     {"classes", u.classes},
                     {"parameters", u.parameters},
                     {"iterations", u.iterations},
                     {"labels", u.labels},
                     {"train_seconds", u.train_seconds},
                     {"predict_seconds", u.predict_seconds},
                     {"shared_seconds", u.shared_seconds},
                     {"notes", u.notes},
                     {"pictures", pictures},
                     {"images", u.images},
                     {"truth", u.truth},
                     {"probabilities", u.probabilities}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

UnitResult unit_from_json(const std::string& text, const std::string& source) {
  const Json json = Json::parse(text, nullptr, false);
  IL_CHECK(json.is_object(), "{}: this is no JSON object; delete the file and run again", source);
  const int version = field<int>(json, "version", source);
  IL_CHECK(version == kVersion, "{}: a unit of version {}; this program reads version {}", source, version, kVersion);
  UnitResult u;
  u.plan = field<std::string>(json, "plan", source);
  u.key = {field<std::int64_t>(json, "ways", source), field<std::int64_t>(json, "fold", source) - 1,
           field<std::string>(json, "system", source), field<std::int64_t>(json, "shots", source)};
  u.classes = field<std::vector<std::string>>(json, "classes", source);
  u.parameters = field<std::int64_t>(json, "parameters", source);
  u.iterations = field<std::int64_t>(json, "iterations", source);
  u.labels = field<std::int64_t>(json, "labels", source);
  u.train_seconds = field<double>(json, "train_seconds", source);
  u.predict_seconds = field<double>(json, "predict_seconds", source);
  u.shared_seconds = field<double>(json, "shared_seconds", source);
  u.notes = field<std::vector<std::string>>(json, "notes", source);
  for (const Json& p : field<Json>(json, "pictures", source))
    u.pictures.push_back({field<std::string>(p, "file", source), field<std::string>(p, "caption", source)});
  u.images = field<std::vector<std::string>>(json, "images", source);
  u.truth = field<std::vector<int>>(json, "truth", source);
  u.probabilities = field<std::vector<double>>(json, "probabilities", source);
  check_lists(u, source);
  return u;
}

UnitStore::UnitStore(std::string run_folder) : folder_(std::move(run_folder) + "/units") {
  std::error_code error;
  fs::create_directories(folder_, error);
  IL_CHECK(!error, "{}: cannot be made: {}", folder_, error.message());
}

std::string UnitStore::path_of(const UnitKey& key, const char* extension) const {
  return folder_ + "/" + name_of(key) + extension;
}

bool UnitStore::has(const UnitKey& key) const { return fs::exists(path_of(key)); }

void UnitStore::save(const UnitResult& unit) const {
  check_lists(unit, path_of(unit.key));
  io::write_file(path_of(unit.key), to_json(unit));
  std::error_code none;
  fs::remove(path_of(unit.key, kFailed), none);
}

void UnitStore::save_failure(const UnitKey& key, const Exclusion& failure) const {
  const Json json = {{"what", failure.what}, {"why", failure.why}};
  io::write_file(path_of(key, kFailed), json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::vector<Exclusion> UnitStore::failures() const {
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
    if (entry.path().extension() == kFailed) paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  std::vector<Exclusion> out;
  for (const std::string& path : paths) {
    const Json json = Json::parse(io::read_file(path), nullptr, false);
    IL_CHECK(json.is_object(), "{}: this is no JSON object; delete the file", path);
    out.push_back({field<std::string>(json, "what", path), field<std::string>(json, "why", path)});
  }
  return out;
}

std::vector<UnitResult> UnitStore::load_all(const std::string& plan) const {
  std::vector<UnitResult> out;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".json") continue;
    UnitResult unit = unit_from_json(io::read_file(path), path);
    IL_CHECK(is_contestant(unit.key.system) && path == path_of(unit.key),
             "{}: holds the unit {}, which belongs in another file or to no system; delete the file and run again",
             path, name_of(unit.key));
    IL_CHECK(unit.plan == plan, "{}: belongs to another comparison than the plan of this folder; delete the file",
             path);
    out.push_back(std::move(unit));
  }
  std::ranges::sort(out, {}, &UnitResult::key);
  return out;
}

}  // namespace innerloop::meta::reproduce
