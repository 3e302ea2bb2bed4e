// The paper's tables beside ours.
#include <fmt/format.h>

#include <algorithm>

#include "meta/reproduce/classes.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/published.h"
#include "meta/reproduce/tables.h"
#include "meta/reproduce/wording.h"

namespace innerloop::meta::reproduce {
namespace {

std::string stated(const std::optional<double>& value) { return value ? fmt::format("{:.2f}", *value) : "–"; }

std::string title_of(const PublishedTable& published, std::int64_t shots) {
  std::string title = fmt::format("Table {} ({}): {}", published.number, published.data_set, published.title);
  if (shots != kPublishedShots) title += fmt::format(" (ours: {} shots)", shots);
  return title;
}

std::string note_of(const PublishedTable& published) {
  std::string note = "A dash in a column of the paper: its running text does not state the cell.";
  return published.words.empty() ? note : note + " The paper: " + published.words;
}

const PublishedScores* find_row(const PublishedTable& published, const std::string& name) {
  const auto found = std::ranges::find(published.rows, name, &PublishedRow::system);
  return found == published.rows.end() ? nullptr : &found->scores;
}

/// A row a system: the paper's figures, then ours over folds.
io::TextTable by_system(const PublishedTable& published, const Summary& summary, std::int64_t shots) {
  io::TextTable table{.title = title_of(published, shots),
                      .header = {"system", "accuracy, paper", "ours", "precision, paper", "ours", "recall, paper",
                                 "ours", "F1, paper", "ours"},
                      .rows = {},
                      .note = note_of(published)};
  for (const Contestant& c : all_contestants()) {
    const PublishedScores* paper = find_row(published, c.key);
    const Cell* cell = summary.find(published.ways, c.key, shots);
    if (paper == nullptr && cell == nullptr) continue;
    const PublishedScores none, &p = paper != nullptr ? *paper : none;
    const auto ours = [&](Score s) { return cell == nullptr ? "–" : figure_with_interval(cell->estimate(s)); };
    table.rows.push_back(
        {{summary.title(c.key), stated(p.accuracy), ours(Score::kAccuracy), stated(p.precision),
          ours(Score::kPrecision), stated(p.recall), ours(Score::kRecall), stated(p.f1), ours(Score::kF1)},
         c.key == "umlf" ? io::RowKind::kStrong : io::RowKind::kPlain});
  }
  return table;
}

/// A row a class of UMLF-COVID, ours pooled over folds, and one for all.
io::TextTable by_class(const PublishedTable& published, const Summary& summary, std::int64_t shots) {
  io::TextTable table{.title = title_of(published, shots),
                      .header = {"class", "precision, paper", "ours", "recall, paper", "ours", "F1, paper", "ours"},
                      .rows = {},
                      .note = note_of(published)};
  const Cell* cell = summary.find(published.ways, "umlf", shots);
  if (cell == nullptr) return table;
  const PublishedScores none;
  for (std::size_t c = 0; c < cell->classes.size(); ++c) {
    const PublishedScores* paper = find_row(published, paper_name(cell->classes[c]).value_or(cell->classes[c]));
    const PublishedScores& p = paper != nullptr ? *paper : none;
    const ClassScores& s = cell->pooled.per_class[c];
    table.rows.push_back({{cell->classes[c], stated(p.precision), figure(s.precision), stated(p.recall),
                           figure(s.recall), stated(p.f1), figure(s.f1)}});
  }
  const PublishedScores* paper = find_row(published, "");
  const PublishedScores& p = paper != nullptr ? *paper : none;
  table.rows.push_back(
      {{"all, mean over classes", stated(p.precision), figure(cell->estimate(Score::kPrecision).mean), stated(p.recall),
        figure(cell->estimate(Score::kRecall).mean), stated(p.f1), figure(cell->estimate(Score::kF1).mean)},
       io::RowKind::kStrong});
  table.note += fmt::format(" Accuracy: paper {}, ours {}.", stated(p.accuracy),
                            figure_with_interval(cell->estimate(Score::kAccuracy)));
  return table;
}

}  // namespace

std::vector<io::TextTable> paper_tables(const Summary& summary) {
  std::vector<io::TextTable> out;
  const std::int64_t shots = table_shots(summary);
  for (const PublishedTable& published : published_tables()) {
    if (std::ranges::find(summary.ways, published.ways) == summary.ways.end()) continue;
    out.push_back(published.by_class ? by_class(published, summary, shots) : by_system(published, summary, shots));
  }
  return out;
}

}  // namespace innerloop::meta::reproduce
