// The report of a run, put together from what the trainer or the evaluator knows.
#pragma once

#include <string>
#include <vector>

#include "io/config.h"
#include "io/dataset.h"
#include "io/image.h"
#include "io/report.h"
#include "meta/checkpoint.h"
#include "meta/evaluator.h"
#include "meta/system_fit.h"

namespace innerloop::meta {

/// Everything about one evaluation: headlines, confusion, scores, curves, protocol. Named classes only where there are
/// few.
io::ReportData report_of_evaluation(const EvalResult& result);

/// What a reader of figures from `set` should know: images without a known patient, skipped files, patients that may
/// stand on both sides of an episode, classes left out.
std::vector<std::string> cautions_about(const io::ImageSet& set);

/// What the page of a training run shows beside its evaluation.
struct RunStory {
  const io::Config& config;
  const io::ImageSet& set;       ///< the whole data set
  std::string split;             ///< what was held out
  const EvalResult* evaluation;  ///< the last one; nullptr when there was none
  BestSoFar best;
  io::RunHistory history;
  io::Image sheet;  ///< drawn tasks
};

io::ReportData report_of_run(const RunStory& story);

/// The same of a comparison system's run.
struct SystemRunStory {
  const io::Config& config;
  const io::ImageSet& set;       ///< the whole data set
  std::string split;             ///< what was held out
  const EvalResult* evaluation;  ///< on the held-out images; nullptr when there was none
  const TrainedSystem& system;
  std::int64_t pretrained;       ///< iterations of the pretraining
  io::RunHistory history;
};

io::ReportData report_of_system_run(const SystemRunStory& story);

}  // namespace innerloop::meta
