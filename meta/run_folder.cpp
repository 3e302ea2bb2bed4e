#include "meta/run_folder.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

#include "tensor/error.h"

namespace innerloop::meta {
namespace {

namespace fs = std::filesystem;

/// A line of a list without what is around its value; the end of the list in words.
std::string element_of(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(' '), end = line.find_last_not_of(", ");
  if (begin == std::string::npos || end == std::string::npos || end < begin) return {};
  const std::string value = line.substr(begin, end - begin + 1);
  return value == "]" ? "no more" : value;
}

/// (section.key, value) of every line of the printed configuration; one augmentation is one value of "augment".
std::vector<std::pair<std::string, std::string>> entries(const io::Config& config) {
  std::vector<std::pair<std::string, std::string>> out;
  std::istringstream lines(io::to_toml(config));
  std::string section, key;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto equals = line.find(" = ");
    if (line[0] == '[') {
      section = line.substr(line.find_first_not_of('['), line.find(']') - line.find_first_not_of('['));
    } else if (equals != std::string::npos && line[0] != ' ') {
      key = (section.empty() ? "" : section + ".") + line.substr(0, equals);
      if (!line.ends_with(" = [")) out.emplace_back(key, line.substr(equals + 3));
    } else {
      out.emplace_back(key, element_of(line));
    }
  }
  return out;
}

/// `config` with all that may change between two sittings of one run set aside.
io::Config what_matters(io::Config config) {
  config.run.threads = 0;
  config.run.device = io::DeviceChoice::kAuto;
  config.run.records = io::StepRecords::kAuto;
  config.run.checkpoint_every = 0;
  config.data.cache.clear();
  if (config.supervised.system == io::System::kUmlf) {
    config.supervised = {};
  } else {
    // What a comparison system does not read.
    config.model = {}, config.inner = {}, config.outer = {}, config.task = {}, config.eval = {};
    config.supervised.iterations = 1;
  }
  if (config.outer.schedule == io::Schedule::kConstant) config.outer.iterations = 1;
  return config;
}

}  // namespace

bool RunFolder::holds_a_run() const {
  for (const std::string& file : {config(), log(), checkpoint(), best(), report()})
    if (fs::exists(file)) return true;
  return false;
}

void RunFolder::refuse_a_second_run() const {
  if (holds_a_run())
    fail_usage("{}: holds a run already; go on with it by --resume, or give another folder to --out", root);
}

void RunFolder::make() const {
  std::error_code error;
  fs::create_directories(root, error);
  IL_CHECK(!error && fs::is_directory(root), "{}: cannot make the run folder ({}); give another --out", root,
           error ? error.message() : "a file of that name is in the way");
}

void check_same_run(const io::Config& saved, const io::Config& asked, const std::string& where) {
  const io::Config a = what_matters(saved), b = what_matters(asked);
  if (a == b) return;
  const auto old_values = entries(a), new_values = entries(b);
  for (std::size_t i = 0; i < std::max(old_values.size(), new_values.size()); ++i) {
    if (i < old_values.size() && i < new_values.size() && old_values[i] == new_values[i]) continue;
    const auto& [key, value] = i < old_values.size() ? old_values[i] : new_values[i];
    const bool same_key = i < old_values.size() && i < new_values.size() && new_values[i].first == key;
    fail_usage(
        "{}: the run has {} = {}, but {} is asked for; resume with the run's own value, or train into a new folder",
        where, key, i < old_values.size() ? value : "nothing", same_key ? new_values[i].second : "another list");
  }
}

}  // namespace innerloop::meta
