// The comparison for programs: report.json and tables.csv.
#pragma once

#include <string>

#include "meta/reproduce/page.h"

namespace innerloop::meta::reproduce {

/// One object: data, protocol, systems with every score by fold, per class, curves left out; tests, shortcut,
/// exclusions. A number that is not finite is null.
std::string machine_json(const Story& story);

/// One row a score of a system over its folds: ways,shots,system,score,folds,mean,low,high, then the value of each fold
/// in `by_fold`, joined by ';'. RFC 4180.
std::string machine_csv(const Summary& summary);

}  // namespace innerloop::meta::reproduce
