// The charts of a comparison.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/chart.h"
#include "io/report_parts.h"
#include "meta/reproduce/contestants.h"
#include "meta/reproduce/page.h"
#include "meta/reproduce/wording.h"

namespace innerloop::meta::reproduce {
namespace {

io::Chart accuracy_chart(const Summary& summary, std::int64_t ways) {
  io::Chart chart{.id = fmt::format("shots{}", ways),
                  .title = fmt::format("{}-way: accuracy against shots", ways),
                  .x_label = "labelled images a class",
                  .y_label = "accuracy",
                  .y_format = io::TickFormat::kPercent,
                  .y_range = io::Range{0, 1},
                  .height = 340};
  int colour = 0;
  for (const Contestant& c : all_contestants()) {
    io::Series series{.name = summary.title(c.key), .mark = io::Mark::kDots, .colour = colour++};
    for (const std::int64_t k : summary.shots) {
      const Cell* cell = summary.find(ways, c.key, k);
      if (cell == nullptr) continue;
      series.x.push_back(static_cast<double>(k));
      series.y.push_back(cell->estimate(Score::kAccuracy).mean);
    }
    if (!series.x.empty()) chart.series.push_back(std::move(series));
  }
  const double chance = 1.0 / static_cast<double>(ways);
  chart.series.push_back({.name = "guessing",
                          .x = {static_cast<double>(summary.shots.front()), static_cast<double>(summary.shots.back())},
                          .y = {chance, chance},
                          .mark = io::Mark::kGuide});
  return chart;
}

enum class Learned : std::uint8_t { kLoss, kAccuracy };

io::Chart training_chart(const std::vector<TrainingCurve>& curves, std::int64_t ways, Learned what) {
  const bool loss = what == Learned::kLoss;
  io::Chart chart{.id = fmt::format("learn{}{}", ways, loss ? "l" : "a"),
                  .title = fmt::format("{}-way: {} of meta-training", ways, loss ? "query loss" : "query accuracy"),
                  .x_label = "meta-step",
                  .y_label = loss ? "loss" : "accuracy",
                  .y_format = loss ? io::TickFormat::kNumber : io::TickFormat::kPercent};
  int colour = 0;
  for (const TrainingCurve& curve : curves) {
    if (curve.ways != ways) continue;
    io::Series series{.name = fmt::format("{} {}", curve.shots, curve.shots == 1 ? "shot" : "shots"),
                      .colour = colour++};
    for (const CurvePoint& p : curve.points) {
      series.x.push_back(static_cast<double>(p.iteration));
      series.y.push_back(loss ? p.loss : p.accuracy);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

enum class Rates : std::uint8_t { kRoc, kPrecisionRecall };

io::Chart rate_chart(const Cell& cell, Rates rates) {
  const bool roc = rates == Rates::kRoc;
  io::Chart chart{.id = fmt::format("{}{}{}", roc ? "roc" : "pr", cell.ways, cell.system),
                  .title = fmt::format("{}: {}", cell.title, roc ? "ROC" : "precision and recall"),
                  .x_label = roc ? "false positive rate" : "recall",
                  .y_label = roc ? "true positive rate" : "precision",
                  .x_range = io::Range{0, 1},
                  .y_range = io::Range{0, 1},
                  .height = 330};
  if (roc) chart.series.push_back({.name = "guessing", .x = {0, 1}, .y = {0, 1}, .mark = io::Mark::kGuide});
  for (std::size_t c = 0; c < cell.classes.size(); ++c) {
    const Curve& curve = roc ? cell.roc[c] : cell.precision_recall[c];
    const double area = roc ? cell.pooled.roc_auc[c] : cell.pooled.average_precision[c];
    chart.series.push_back({.name = fmt::format("{}, area {}", cell.classes[c], figure(area)),
                            .x = curve.x,
                            .y = curve.y,
                            .colour = static_cast<int>(c)});
  }
  return chart;
}

io::Chart reliability_chart(const Cell& cell) {
  io::Chart chart{.id = fmt::format("calibration{}{}", cell.ways, cell.system),
                  .title = fmt::format("{}: reliability", cell.title),
                  .x_label = "confidence",
                  .y_label = "share right",
                  .x_range = io::Range{0, 1},
                  .y_range = io::Range{0, 1},
                  .height = 330,
                  .note = fmt::format("Expected calibration error {}, {} answers.",
                                      figure(cell.calibration.expected_error), cell.pooled.confusion.total())};
  chart.series.push_back({.name = "calibrated", .x = {0, 1}, .y = {0, 1}, .mark = io::Mark::kGuide});
  io::Series series{.name = "measured", .mark = io::Mark::kDots};
  for (const ReliabilityBin& bin : cell.calibration.bins) {
    if (bin.count == 0) continue;
    series.x.push_back(bin.confidence);
    series.y.push_back(bin.accuracy);
  }
  chart.series.push_back(std::move(series));
  return chart;
}

std::string confusion_of(const Cell& cell) {
  io::ConfusionMatrix matrix;
  matrix.classes = cell.classes;
  const int n = static_cast<int>(cell.classes.size());
  for (int truth = 0; truth < n; ++truth)
    for (int predicted = 0; predicted < n; ++predicted)
      matrix.counts.push_back(cell.pooled.confusion.count(truth, predicted));
  return io::report::confusion_table(matrix, cell.title);
}

/// `part` of every system at each number of ways: umlf in the open, the others folded.
template <class Part>
std::string by_system(const Summary& summary, Part part) {
  std::string html;
  const std::int64_t shots = table_shots(summary);
  for (const std::int64_t ways : summary.ways) {
    std::vector<std::string> open, rest;
    for (const Cell* cell : summary.at(ways, shots)) {
      auto& list = cell->system == "umlf" ? open : rest;
      for (std::string& text : part(*cell)) list.push_back(std::move(text));
    }
    if (open.empty() && rest.empty()) continue;
    html += io::paragraph(where(ways, shots) + ", the answers of all folds together");
    html += io::side_by_side(open);
    html += io::folded(fmt::format("{}-way: the other systems", ways), io::side_by_side(rest));
  }
  return html;
}

}  // namespace

std::string accuracy_against_shots(const Summary& summary) {
  if (summary.shots.size() < 2) return {};
  std::vector<std::string> charts;
  for (const std::int64_t ways : summary.ways) charts.push_back(io::render_chart(accuracy_chart(summary, ways)));
  return io::side_by_side(charts);
}

std::string training_curves(const std::vector<TrainingCurve>& curves, const std::vector<std::int64_t>& ways) {
  std::string html;
  for (const std::int64_t n : ways) {
    html += io::side_by_side({io::render_chart(training_chart(curves, n, Learned::kAccuracy)),
                              io::render_chart(training_chart(curves, n, Learned::kLoss))});
  }
  return html;
}

std::string rate_curves(const Summary& summary) {
  return by_system(summary, [](const Cell& cell) {
    return std::vector<std::string>{io::render_chart(rate_chart(cell, Rates::kRoc)),
                                    io::render_chart(rate_chart(cell, Rates::kPrecisionRecall))};
  });
}

std::string confusions(const Summary& summary) {
  return by_system(summary, [](const Cell& cell) { return std::vector<std::string>{confusion_of(cell)}; });
}

std::string reliability(const Summary& summary) {
  return by_system(
      summary, [](const Cell& cell) { return std::vector<std::string>{io::render_chart(reliability_chart(cell))}; });
}

}  // namespace innerloop::meta::reproduce
