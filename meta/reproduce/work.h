// The parts of a comparison, in the order in which they are done.
#pragma once

#include <cstdint>
#include <vector>

#include "meta/reproduce/contestants.h"
#include "meta/reproduce/plan.h"
#include "meta/reproduce/unit.h"

namespace innerloop::meta::reproduce {

enum class WorkKind : std::uint8_t {
  kMetaTraining,  ///< what the units of umlf start from
  kUnit,
  kCurve,  ///< a meta-training on tasks of another number of shots, for its training curve alone
};

struct Work {
  WorkKind kind = WorkKind::kUnit;
  const Problem* problem = nullptr;
  const Contestant* contestant = nullptr;
  std::int64_t shots = 0;  ///< of the unit, or of the tasks of meta-training

  UnitKey key() const { return {problem->ways, problem->fold, contestant->key, shots}; }
  bool is_unit() const { return kind == WorkKind::kUnit; }
};

/// Fold by fold, so that a run that is stopped has complete small tables: of every problem the contestants in order,
/// each with its meta-training first and then by rising shots; then the shortcut test. Last, on the first fold of every
/// number of ways, meta-training by the numbers of shots that are compared (the paper's figures 5 and 9). `plan`,
/// `contestants` and `shortcut` must outlive the list.
std::vector<Work> all_work(const Plan& plan, const std::vector<Contestant>& contestants,
                           const std::vector<Contestant>& shortcut, std::int64_t meta_shots);

}  // namespace innerloop::meta::reproduce
