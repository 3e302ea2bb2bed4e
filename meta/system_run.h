// A comparison system's whole run: what meta/trainer.h is to meta-training.
//
//   data -> hold out whole patients of every class -> fit_system() -> answer the held-out images -> checkpoint, best,
//   report
// The run folder and its files are those of meta-training (meta/run_folder.h); log.jsonl has one line an iteration and
// one a check of the validation images. The held-out images serve once, after the last iteration; nothing is chosen by
// them. Determinism: a run is a pure function of (config, data); one that was stopped and resumed ends at the same bits
// as one that never stopped, at any number of threads.
#pragma once

#include "meta/system_fit.h"
#include "meta/trainer.h"

namespace innerloop::meta {

struct SystemRunResult {
  TrainOutcome outcome = TrainOutcome::kFinished;
  FitEnd end = FitEnd::kIterations;
  std::int64_t first_step = 0, step = 0;  ///< iterations of all stages done, when this call began and now
  std::int64_t best_step = 0;
  double validation_accuracy = io::kNotMeasured;
  bool evaluated = false;
  EvalResult evaluation;  ///< on the held-out images
  double seconds = 0;
  std::string checkpoint, best, report;  ///< paths; `best` and `report` are empty for a run that was stopped
};

/// Of `options`: config.supervised.system is the system. Throws as train() does.
SystemRunResult train_system(const TrainOptions& options);

}  // namespace innerloop::meta
