#include "meta/reproduce/contestants.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "io/nearest.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

const Contestant* find(std::string_view key) {
  for (const auto* list : {&all_contestants(), &shortcut_contestants()})
    for (const Contestant& c : *list)
      if (c.key == key) return &c;
  return nullptr;
}

}  // namespace

const std::vector<Contestant>& all_contestants() {
  using enum Learning;
  static const std::vector<Contestant> kAll = {
      {.key = "umlf", .title = "UMLF-COVID (groups)", .learning = kMetaGroups},
      {.key = "umlf_instances", .title = "UMLF-COVID (instances)", .learning = kMetaInstances},
      {.key = "untrained", .title = "untrained net", .learning = kUntrained},
      {.key = "lenet5", .title = "LeNet-5", .system = io::System::kLenet5},
      {.key = "alexnet", .title = "AlexNet", .system = io::System::kAlexnet},
      {.key = "vgg19", .title = "VGG19", .system = io::System::kVgg19},
      {.key = "covxnet", .title = "CovXNet", .system = io::System::kCovxnet},
      {.key = "cnn_lstm", .title = "CNN-LSTM", .system = io::System::kCnnLstm},
      {.key = "cnn_rnn", .title = "CNN-RNN", .system = io::System::kCnnRnn},
      {.key = "emcnet", .title = "EMCNet", .system = io::System::kEmcnet},
  };
  return kAll;
}

const std::vector<Contestant>& shortcut_contestants() {
  static const std::vector<Contestant> kShortcut = {
      {.key = "shortcut_border",
       .title = "LeNet-5 on the border alone",
       .system = io::System::kLenet5,
       .view = View::kBorder,
       .labels = Labels::kAll},
      {.key = "shortcut_whole",
       .title = "LeNet-5 on whole images",
       .system = io::System::kLenet5,
       .view = View::kWhole,
       .labels = Labels::kAll},
  };
  return kShortcut;
}

std::vector<Contestant> choose_contestants(const std::vector<std::string>& keys) {
  if (keys.empty()) return all_contestants();
  std::vector<std::string_view> known;
  for (const Contestant& c : all_contestants()) known.push_back(c.key);
  for (const std::string& key : keys) {
    if (std::ranges::find(known, key) == known.end()) {
      fail_usage("--systems: unknown system '{}'; the systems are {}{}", key, fmt::join(known, ", "),
                 io::suggestion(key, known));
    }
  }
  std::vector<Contestant> chosen;
  for (const Contestant& c : all_contestants())
    if (std::ranges::find(keys, c.key) != keys.end()) chosen.push_back(c);
  return chosen;
}

bool is_contestant(std::string_view key) { return find(key) != nullptr; }

const Contestant& contestant(std::string_view key) {
  const Contestant* found = find(key);
  IL_CHECK(found != nullptr, "reproduce: no system is named '{}'", key);
  return *found;
}

}  // namespace innerloop::meta::reproduce
