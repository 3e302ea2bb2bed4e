#include "meta/reproduce/fold_assignment.h"

#include <algorithm>

#include "meta/folds.h"
#include "meta/reproduce/classes.h"

namespace innerloop::meta::reproduce {

std::vector<std::int64_t> fold_assignment(const io::ImageSet& set, const std::vector<std::string>& classes,
                                          std::int64_t folds, std::uint64_t seed) {
  std::vector<std::int64_t> compared;
  for (std::int64_t i = 0; i < set.count(); ++i) {
    const std::string& name = set.classes[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(i)])];
    if (std::ranges::find(classes, name) != classes.end()) compared.push_back(i);
  }
  std::vector<std::int64_t> fold_of(static_cast<std::size_t>(set.count()), -1);
  const std::vector<io::Split> splits =
      make_folds(with_classes(set, compared, classes), {.folds = folds, .seed = seed});
  for (std::size_t f = 0; f < splits.size(); ++f)
    for (const std::int64_t i : splits[f].held_out)
      fold_of[static_cast<std::size_t>(compared[static_cast<std::size_t>(i)])] = static_cast<std::int64_t>(f);
  return fold_of;
}

}  // namespace innerloop::meta::reproduce
