#include "meta/reproduce/work.h"

#include <algorithm>
#include <set>

namespace innerloop::meta::reproduce {

std::vector<Work> all_work(const Plan& plan, const std::vector<Contestant>& contestants,
                           const std::vector<Contestant>& shortcut, std::int64_t meta_shots) {
  std::vector<Work> out;
  for (const Problem& problem : plan.problems) {
    for (const Contestant& c : contestants) {
      if (c.meta_trained()) out.push_back({WorkKind::kMetaTraining, &problem, &c, meta_shots});
      for (const LabelledDraw& draw : problem.labelled) out.push_back({WorkKind::kUnit, &problem, &c, draw.shots});
    }
    for (const Contestant& c : shortcut) out.push_back({WorkKind::kUnit, &problem, &c, kAllShots});
  }
  const auto groups = std::ranges::find(contestants, Learning::kMetaGroups, &Contestant::learning);
  if (groups == contestants.end()) return out;
  std::set<std::int64_t> seen;
  for (const Problem& problem : plan.problems) {
    if (!seen.insert(problem.ways).second) continue;
    for (const LabelledDraw& draw : problem.labelled)
      if (draw.shots != meta_shots) out.push_back({WorkKind::kCurve, &problem, &*groups, draw.shots});
  }
  return out;
}

}  // namespace innerloop::meta::reproduce
