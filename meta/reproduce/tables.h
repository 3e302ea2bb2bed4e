// The tables of a comparison, as rows of words: the page, tables.md and whoever pastes them share these.
#pragma once

#include <vector>

#include "io/text_table.h"
#include "meta/reproduce/manifest.h"
#include "meta/reproduce/summary.h"

namespace innerloop::meta::reproduce {

/// The paper's tables 2 to 9, what its text states beside what was measured here.
std::vector<io::TextTable> paper_tables(const Summary& summary);
/// Every score of every system at one number of ways and shots.
io::TextTable result_table(const Summary& summary, std::int64_t ways, std::int64_t shots);
/// Accuracy by shots, a row a system.
io::TextTable shots_table(const Summary& summary, std::int64_t ways);
/// Precision, recall, specificity, F1 and areas of each class, pooled over folds.
io::TextTable class_table(const Cell& cell);
io::TextTable test_table(const Summary& summary, std::int64_t ways);
io::TextTable cost_table(const Summary& summary, std::int64_t ways, std::int64_t shots);
io::TextTable shortcut_table(const Summary& summary);
io::TextTable exclusion_table(const std::vector<Exclusion>& exclusions);
io::TextTable data_table(const DataFacts& data);

}  // namespace innerloop::meta::reproduce
