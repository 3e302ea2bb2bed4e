// The words and figures that every report of a comparison shares.
#pragma once

#include <string>
#include <vector>

#include "meta/reproduce/manifest.h"
#include "meta/reproduce/summary.h"

namespace innerloop::meta::reproduce {

/// "0.913", or a dash.
std::string figure(double value);
/// "0.913 ± 0.021"; without the interval for a single fold.
std::string figure_with_interval(const Estimate& estimate);
/// "0.012", "< 0.001".
std::string p_value(double p);
/// "3-way, 10 shots"
std::string where(std::int64_t ways, std::int64_t shots);

/// The number of shots that the paper's tables have, or the most that were run where that is not among them.
std::int64_t table_shots(const Summary& summary);

/// What the border of the images tells, for one number of ways.
struct ShortcutFinding {
  std::int64_t ways = 0;
  const Cell* border = nullptr;
  const Cell* whole = nullptr;  ///< null while it has not run
  double chance = 0;            ///< of the macro recall: 1 / ways
  bool leaks = false;           ///< the lower end of the border's interval lies above chance
  std::string words;
};
std::vector<ShortcutFinding> shortcut_findings(const Summary& summary);

/// How the protocol is defined, a paragraph each; docs/paper.md says it at more length.
std::vector<std::string> protocol_words(const Manifest& manifest);
/// What a reader should know before trusting a figure.
std::vector<std::string> cautions(const Manifest& manifest, const Summary& summary);
/// Which comparisons of umlf came out for it, which against, and which cannot be told, in sentences.
std::vector<std::string> verdicts(const Summary& summary);

}  // namespace innerloop::meta::reproduce
