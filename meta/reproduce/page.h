// The page of a comparison.
#pragma once

#include <string>
#include <vector>

#include "io/page.h"
#include "meta/reproduce/manifest.h"
#include "meta/reproduce/summary.h"

namespace innerloop::meta::reproduce {

/// A meta-training of the first fold, for the paper's figures 5 and 9.
struct TrainingCurve {
  std::int64_t ways = 0, shots = 0;
  std::vector<CurvePoint> points;
};

struct PagePicture {
  std::string png, caption;  ///< the file's bytes
};

/// Everything that the page tells.
struct Story {
  Manifest manifest;
  Summary summary;
  std::vector<TrainingCurve> curves;
  std::vector<PagePicture> pictures;
  std::vector<Exclusion> exclusions;  ///< of the plan, of parts that failed, of parts that were not done
  std::vector<std::string> notes;     ///< of units: what CovXNet has seen, ..; each once
};

io::Page page_of(const Story& story);

/// Parts of the page (page_curves.cpp), each empty without data.
std::string accuracy_against_shots(const Summary& summary);
std::string training_curves(const std::vector<TrainingCurve>& curves, const std::vector<std::int64_t>& ways);
std::string rate_curves(const Summary& summary);
std::string confusions(const Summary& summary);
std::string reliability(const Summary& summary);

}  // namespace innerloop::meta::reproduce
