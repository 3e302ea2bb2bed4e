// eval and predict of a comparison system's checkpoint: no episodes, no support images; it answers as it was trained.
#pragma once

#include <string>
#include <vector>

#include "tools/common_options.h"
#include "tools/load_data.h"

namespace innerloop::tools {

/// Which images of a data set are looked at.
enum class Part { kAll, kHeldOut };

struct SystemEval {
  std::string checkpoint, data, report;  ///< `report` empty: none
  Part part = Part::kAll;
};

/// Answers every image of the part once, prints the result, and returns the exit code.
int eval_system(const SystemEval& asked, const CommonOptions& common, const BadFileOption& bad_files);

/// One JSON object a line for each image, as predict prints them; returns the exit code.
int predict_system(const std::string& checkpoint, const std::vector<std::string>& images, const CommonOptions& common,
                   const BadFileOption& bad_files);

}  // namespace innerloop::tools
