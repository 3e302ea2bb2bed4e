// What the tests of a comparison share.
#pragma once

#include <string>
#include <vector>

#include "meta/fixtures.h"
#include "meta/reproduce/plan.h"
#include "meta/reproduce/settings.h"
#include "meta/reproduce/unit.h"

namespace innerloop::test {

/// Names as the paper's classes have them.
inline io::ImageSet named_set(const std::vector<std::int64_t>& per_class) {
  io::ImageSet set = tiny_set(per_class);
  const std::vector<std::string> names = {"covid19", "normal", "viral", "bacterial", "other"};
  for (std::size_t c = 0; c < set.classes.size(); ++c) set.classes[c] = names[c];
  return set;
}

/// Images 2i and 2i + 1 of a class are of one patient.
inline void pair_patients(io::ImageSet& set) {
  std::int64_t patient = 0;
  set.group_names.clear();
  for (std::size_t i = 0; i < set.groups.size(); ++i) {
    const bool second = i > 0 && set.labels[i] == set.labels[i - 1] && set.group_names.size() > 0 &&
                        (i < 2 || set.groups[i - 1] != set.groups[i - 2]);
    if (!second) {
      set.group_names.push_back(fmt::format("p{}", patient));
      ++patient;
    }
    set.groups[i] = patient - 1;
  }
}

/// A unit whose answers are right for the first `right` of `n` images a class, with a confidence of 0.8, else wrong.
inline meta::reproduce::UnitResult made_up_unit(const meta::reproduce::UnitKey& key, std::int64_t right, std::int64_t n,
                                                const std::string& plan = "plan") {
  meta::reproduce::UnitResult u;
  u.key = key;
  u.plan = plan;
  const std::vector<std::string> names = {"covid19", "normal", "viral", "bacterial"};
  u.classes.assign(names.begin(), names.begin() + key.ways);
  for (int c = 0; c < static_cast<int>(key.ways); ++c) {
    for (std::int64_t i = 0; i < n; ++i) {
      u.images.push_back(fmt::format("{}/{}_{}.png", u.classes[static_cast<std::size_t>(c)], key.fold, i));
      u.truth.push_back(c);
      const int answer = i < right ? c : (c + 1) % static_cast<int>(key.ways);
      for (int j = 0; j < static_cast<int>(key.ways); ++j)
        u.probabilities.push_back(j == answer ? 0.8 : 0.2 / static_cast<double>(key.ways - 1));
    }
  }
  u.parameters = 1234;
  u.iterations = 7;
  u.labels = key.ways * key.shots;
  u.train_seconds = 1.5;
  u.predict_seconds = 0.25;
  return u;
}

}  // namespace innerloop::test
