#include "meta/reproduce/classes.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "io/nearest.h"
#include "tensor/error.h"

namespace innerloop::meta::reproduce {
namespace {

/// A class of the paper and the names that sets give it, the better ones first; letters and digits alone count.
struct Known {
  const char* paper;
  std::vector<std::string> names;
};

const std::array<Known, 4>& known() {
  static const std::array<Known, 4> kKnown = {{
      {"COVID-19", {"covid19", "covid", "ncp", "covid19pneumonia"}},
      {"normal", {"normal", "healthy", "nofinding"}},
      {"virus", {"viral", "virus", "viralpneumonia", "pneumonia"}},
      {"bacteria", {"bacterial", "bacteria", "bacterialpneumonia"}},
  }};
  return kKnown;
}

std::string plain(const std::string& name) {
  std::string out;
  for (const char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void check_asked(const std::vector<std::string>& set_classes, const std::vector<std::string>& asked) {
  const std::vector<std::string_view> names(set_classes.begin(), set_classes.end());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (std::ranges::find(set_classes, asked[i]) == set_classes.end()) {
      fail_usage("--classes: the data set has no class '{}'; its classes are {}{}", asked[i],
                 fmt::join(set_classes, ", "), io::suggestion(asked[i], names));
    }
    if (std::find(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(i), asked[i]) !=
        asked.begin() + static_cast<std::ptrdiff_t>(i)) {
      fail_usage("--classes: '{}' comes twice; name each class once", asked[i]);
    }
  }
}

}  // namespace

std::vector<std::string> paper_classes(const std::vector<std::string>& set_classes,
                                       const std::vector<std::string>& asked) {
  if (!asked.empty()) {
    check_asked(set_classes, asked);
    return asked;
  }
  std::vector<std::string> out;
  for (const Known& k : known()) {
    for (const std::string& name : k.names) {
      const auto found = std::ranges::find(set_classes, name, plain);
      if (found == set_classes.end()) continue;
      out.push_back(*found);
      break;
    }
  }
  for (const std::string& name : set_classes)
    if (out.size() < known().size() && std::ranges::find(out, name) == out.end()) out.push_back(name);
  return out;
}

std::optional<std::string> paper_name(const std::string& name) {
  for (const Known& k : known())
    if (std::ranges::find(k.names, plain(name)) != k.names.end()) return k.paper;
  return std::nullopt;
}

io::ImageSet with_classes(const io::ImageSet& set, const std::vector<std::int64_t>& indices,
                          const std::vector<std::string>& classes) {
  std::vector<std::int32_t> place(set.classes.size(), -1);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto found = std::ranges::find(set.classes, classes[c]);
    IL_CHECK(found != set.classes.end(), "reproduce: {} has no class '{}'", set.name, classes[c]);
    place[static_cast<std::size_t>(found - set.classes.begin())] = static_cast<std::int32_t>(c);
  }
  io::ImageSet out = io::subset(set, indices);
  out.classes = classes;
  for (std::size_t i = 0; i < out.labels.size(); ++i) {
    const std::int32_t label = place[static_cast<std::size_t>(out.labels[i])];
    IL_CHECK(label >= 0, "reproduce: {} is of none of the classes {}", out.files[i], fmt::join(classes, ", "));
    out.labels[i] = label;
  }
  return out;
}

}  // namespace innerloop::meta::reproduce
