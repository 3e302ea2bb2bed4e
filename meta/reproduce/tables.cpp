#include "meta/reproduce/tables.h"

#include <fmt/format.h>

#include <cmath>

#include "io/html.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/wording.h"

namespace innerloop::meta::reproduce {
namespace {

io::RowKind kind_of(const std::string& system) { return system == "umlf" ? io::RowKind::kStrong : io::RowKind::kPlain; }

std::string seconds(double value) { return value < 10 ? fmt::format("{:.2f}", value) : fmt::format("{:.0f}", value); }

}  // namespace

io::TextTable result_table(const Summary& summary, std::int64_t ways, std::int64_t shots) {
  io::TextTable table{
      .title = where(ways, shots),
      .header = {"system", "folds", "accuracy", "precision", "recall", "specificity", "F1", "ROC-AUC", "PR-AUC", "ECE"},
      .rows = {}};
  for (const Cell* c : summary.at(ways, shots)) {
    std::vector<std::string> cells = {c->title, std::to_string(c->folds.size())};
    for (const Score s : kScores)
      cells.push_back(s == Score::kAccuracy || s == Score::kF1 ? figure_with_interval(c->estimate(s))
                                                               : figure(c->estimate(s).mean));
    table.rows.push_back({std::move(cells), kind_of(c->system)});
  }
  table.note =
      "Means over folds; ± is half of the 95 % interval by Student's t. Precision to PR-AUC are means over classes, "
      "one against the rest. ECE: expected calibration error, 10 bins.";
  return table;
}

io::TextTable shots_table(const Summary& summary, std::int64_t ways) {
  io::TextTable table{.title = fmt::format("{}-way: accuracy by shots", ways), .header = {"system"}, .rows = {}};
  for (const std::int64_t k : summary.shots) table.header.push_back(fmt::format("{} {}", k, k == 1 ? "shot" : "shots"));
  for (const Contestant& c : all_contestants()) {
    std::vector<std::string> cells = {summary.title(c.key)};
    bool any = false;
    for (const std::int64_t k : summary.shots) {
      const Cell* cell = summary.find(ways, c.key, k);
      any |= cell != nullptr;
      cells.push_back(cell == nullptr ? "–" : figure_with_interval(cell->estimate(Score::kAccuracy)));
    }
    if (any) table.rows.push_back({std::move(cells), kind_of(c.key)});
  }
  table.note = fmt::format("Means over folds with 95 % intervals; guessing among {0} classes of equal size gives {1}.",
                           ways, figure(1.0 / static_cast<double>(ways)));
  return table;
}

io::TextTable class_table(const Cell& cell) {
  io::TextTable table{.title = fmt::format("{}, {}", cell.title, where(cell.ways, cell.shots)),
                      .header = {"class", "precision", "recall", "specificity", "F1", "ROC-AUC", "PR-AUC", "images"},
                      .rows = {}};
  for (std::size_t c = 0; c < cell.classes.size(); ++c) {
    const ClassScores& s = cell.pooled.per_class[c];
    table.rows.push_back(
        {{cell.classes[c], figure(s.precision), figure(s.recall), figure(s.specificity), figure(s.f1),
          figure(cell.pooled.roc_auc[c]), figure(cell.pooled.average_precision[c]), io::with_separators(s.support)}});
  }
  table.note = fmt::format("The answers of {} folds together.", cell.folds.size());
  return table;
}

io::TextTable test_table(const Summary& summary, std::int64_t ways) {
  io::TextTable table{.title = fmt::format("{}-way: UMLF-COVID (groups) against the others", ways),
                      .header = {"against", "shots", "folds", "difference", "W+", "W−", "p", "p, Holm"},
                      .rows = {}};
  for (const PairedTest& t : summary.tests) {
    if (t.ways != ways) continue;
    table.rows.push_back({{summary.title(t.other), std::to_string(t.shots), std::to_string(t.ranks.n + t.ranks.zeros),
                           fmt::format("{:+.3f}", t.difference), fmt::format("{:g}", t.ranks.positive),
                           fmt::format("{:g}", t.ranks.negative), p_value(t.ranks.p), p_value(t.adjusted)},
                          t.adjusted < 0.05 ? io::RowKind::kStrong : io::RowKind::kPlain});
  }
  table.note =
      "Difference: mean over folds of the accuracy of UMLF-COVID less that of the other. Wilcoxon's signed ranks, "
      "two-sided, exact; Holm's correction over the tests of one number of shots. Strong rows: adjusted p below 0.05.";
  return table;
}

io::TextTable cost_table(const Summary& summary, std::int64_t ways, std::int64_t shots) {
  io::TextTable table{.title = "Cost, " + where(ways, shots),
                      .header = {"system", "parameters", "labelled images", "iterations", "before the shots, s",
                                 "training, s", "answering, ms an image"},
                      .rows = {}};
  for (const Cell* c : summary.at(ways, shots)) {
    const double images = static_cast<double>(c->pooled.confusion.total()) / static_cast<double>(c->folds.size());
    table.rows.push_back(
        {{c->title, io::with_separators(c->parameters), fmt::format("{:.0f}", c->labels),
          fmt::format("{:.0f}", c->iterations), c->shared_seconds > 0 ? seconds(c->shared_seconds) : "–",
          seconds(c->train_seconds), fmt::format("{:.1f}", 1000 * c->predict_seconds / images)},
         kind_of(c->system)});
  }
  table.note =
      "Means over folds, on the machine that ran them. Before the shots: meta-training, or CovXNet's pretraining, once "
      "a fold. Iterations: inner steps of UMLF-COVID, updates of the others.";
  return table;
}

io::TextTable shortcut_table(const Summary& summary) {
  io::TextTable table{.title = "Shortcut test: what the border tells",
                      .header = {"ways", "border: macro recall", "border: accuracy", "border: ROC-AUC",
                                 "whole: macro recall", "guessing", "leaks"},
                      .rows = {}};
  for (const ShortcutFinding& f : shortcut_findings(summary)) {
    const bool told = std::isfinite(f.border->estimate(Score::kRecall).half_width);
    table.rows.push_back(
        {{std::to_string(f.ways), figure_with_interval(f.border->estimate(Score::kRecall)),
          figure_with_interval(f.border->estimate(Score::kAccuracy)), figure(f.border->estimate(Score::kRocAuc).mean),
          f.whole == nullptr ? "–" : figure_with_interval(f.whole->estimate(Score::kRecall)), figure(f.chance),
          !told     ? "one fold cannot tell"
          : f.leaks ? "yes"
                    : "not found"}});
  }
  table.note =
      "LeNet-5 trained on every labelled image of the training folds, on the frame alone and on whole images. Leaks: "
      "the lower end of the border's interval lies above guessing.";
  return table;
}

io::TextTable exclusion_table(const std::vector<Exclusion>& exclusions) {
  io::TextTable table{.title = "Left out", .header = {"what", "why"}, .rows = {}, .kind = io::TableKind::kWords};
  for (const Exclusion& e : exclusions) table.rows.push_back({{e.what, e.why}});
  return table;
}

io::TextTable data_table(const DataFacts& data) {
  io::TextTable table{.title = "Images by class", .header = {"class", "images"}, .rows = {}};
  for (std::size_t c = 0; c < data.classes.size(); ++c)
    table.rows.push_back({{data.classes[c], io::with_separators(data.images[c])}});
  table.note =
      fmt::format("{} (layout: {}): {} patients; images of {}x{} pixels, {}.", data.name, data.layout,
                  io::with_separators(data.patients), data.size, data.size, data.channels == 1 ? "grey" : "RGB");
  return table;
}

}  // namespace innerloop::meta::reproduce
