// An evaluation's result for people and for programs.
#pragma once

#include "io/config.h"
#include "meta/evaluator.h"
#include "tools/messages.h"

namespace innerloop::tools {

/// accuracy with half_width and interval, precision, recall, f1, roc_auc, pr_auc, loss; with few classes also classes,
/// confusion[true][predicted] and per_class; protocol: ways, shots, queries, episodes, steps, rate, norm, seed,
/// data_hash, as `config` had them. Shares lie in [0, 1]; what does not exist is null.
Json json_of(const meta::EvalResult& result, const io::Config& config);

/// classes, confusion[true][predicted] and per_class.
Json json_of(const meta::NamedResult& named);

/// Of a comparison system on labelled images: as above, with `images` in place of `episodes`, and what the result's protocol has.
Json json_of_images(const meta::EvalResult& result);

/// The result as text on stdout.
void print_evaluation(const meta::EvalResult& result);

}  // namespace innerloop::tools
