// An evaluation's result for people and for programs.
#pragma once

#include "meta/evaluator.h"
#include "tools/messages.h"

namespace innerloop::tools {

/// accuracy with half_width and interval, precision, recall, f1, roc_auc, pr_auc, loss; with few classes also classes,
/// confusion[true][predicted] and per_class; protocol. Shares lie in [0, 1]; what does not exist is null.
Json json_of(const meta::EvalResult& result);

/// The same as text on stdout.
void print_evaluation(const meta::EvalResult& result);

}  // namespace innerloop::tools
