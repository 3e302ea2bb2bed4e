// The charts of the report: what goes into them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/chart.h"
#include "io/html.h"
#include "io/report_parts.h"
#include "tensor/error.h"

namespace innerloop::io::report {
namespace {

/// What a curve needs at most: more points than this are averaged in buckets of equal numbers of steps.
constexpr std::size_t kMaxPoints = 120;

std::size_t bucket_size(std::size_t points) { return (points + kMaxPoints - 1) / kMaxPoints; }

/// One quantity of the steps as a series: each point the mean of its bucket, the band the bucket's range.
Series of_steps(const std::vector<StepEntry>& steps, double StepEntry::*quantity, std::string name, int colour) {
  const std::size_t bucket = bucket_size(steps.size());
  Series series{.name = std::move(name), .colour = colour};
  for (std::size_t begin = 0; begin < steps.size(); begin += bucket) {
    const std::size_t end = std::min(begin + bucket, steps.size());
    double sum = 0, low = INFINITY, high = -INFINITY;
    std::size_t count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const double value = steps[i].*quantity;
      if (!std::isfinite(value)) continue;
      sum += value;
      low = std::min(low, value);
      high = std::max(high, value);
      ++count;
    }
    series.x.push_back(0.5 * static_cast<double>(steps[begin].step + steps[end - 1].step));
    series.y.push_back(count > 0 ? sum / static_cast<double>(count) : kNotMeasured);
    if (bucket > 1) {
      series.low.push_back(count > 0 ? low : kNotMeasured);
      series.high.push_back(count > 0 ? high : kNotMeasured);
    }
  }
  return series;
}

Series of_evals(const std::vector<EvalEntry>& evals, double EvalEntry::*quantity, std::string name, int colour) {
  Series series{.name = std::move(name), .mark = Mark::kDots, .colour = colour};
  for (const EvalEntry& eval : evals) {
    series.x.push_back(static_cast<double>(eval.step));
    series.y.push_back(eval.*quantity);
  }
  return series;
}

bool any_finite(const Series& series) {
  return std::any_of(series.y.begin(), series.y.end(), [](double v) { return std::isfinite(v); });
}

void add_if_measured(Chart& chart, Series series) {
  if (any_finite(series)) chart.series.push_back(std::move(series));
}

std::string bucket_note(std::size_t steps, const CurveWords& words) {
  const std::size_t bucket = bucket_size(steps);
  return bucket < 2 ? std::string() : fmt::format("Lines are means of {} {}s, pale bands their range.", bucket, words.step);
}

Range steps_of(const RunHistory& history) {
  std::int64_t last = 1;
  for (const StepEntry& step : history.steps) last = std::max(last, step.step);
  for (const EvalEntry& eval : history.evals) last = std::max(last, eval.step);
  return {0, static_cast<double>(last)};
}

Chart loss_chart(const RunHistory& history, const CurveWords& words) {
  Chart chart{.id = "loss",
              .title = "Loss",
              .x_label = words.step,
              .y_label = "cross-entropy",
              .x_format = TickFormat::kCount,
              .x_range = steps_of(history),
              .note = bucket_note(history.steps.size(), words)};
  add_if_measured(chart, of_steps(history.steps, &StepEntry::inner_loss, "support", 5));
  add_if_measured(chart, of_steps(history.steps, &StepEntry::loss, words.training_loss, 0));
  add_if_measured(chart, of_evals(history.evals, &EvalEntry::loss, words.checked_loss, 1));
  return chart;
}

Chart accuracy_chart(const ReportData& data) {
  const RunHistory& history = data.history;
  Chart chart{.id = "accuracy",
              .title = "Accuracy",
              .x_label = data.words.step,
              .y_label = "share of " + data.words.answers + " right",
              .x_format = TickFormat::kCount,
              .y_format = TickFormat::kPercent,
              .x_range = steps_of(history)};
  if (std::isfinite(data.chance_accuracy)) {
    chart.series.push_back({.name = "chance",
                            .x = {chart.x_range->low, chart.x_range->high},
                            .y = {data.chance_accuracy, data.chance_accuracy},
                            .mark = Mark::kGuide});
  }
  add_if_measured(chart, of_steps(history.steps, &StepEntry::accuracy, data.words.training_accuracy, 0));
  Series held_out = of_evals(history.evals, &EvalEntry::accuracy, data.words.checked_accuracy, 1);
  for (const EvalEntry& eval : history.evals) {
    held_out.low.push_back(std::max(eval.accuracy - eval.half_width, 0.0));
    held_out.high.push_back(std::min(eval.accuracy + eval.half_width, 1.0));
  }
  const bool intervals = std::any_of(history.evals.begin(), history.evals.end(),
                                     [](const EvalEntry& e) { return std::isfinite(e.half_width); });
  if (intervals) chart.note = "The band around " + data.words.checked_accuracy + " is its 95 % interval.";
  add_if_measured(chart, std::move(held_out));
  return chart;
}

enum class Rates { kRoc, kPrecisionRecall };

Chart rate_chart(const std::vector<RateCurve>& curves, Rates rates) {
  const bool roc = rates == Rates::kRoc;
  Chart chart{.id = roc ? "roc" : "pr",
              .title = roc ? "ROC" : "Precision and recall",
              .x_label = roc ? "false positive rate" : "recall",
              .y_label = roc ? "true positive rate" : "precision",
              .x_range = Range{0, 1},
              .y_range = Range{0, 1},
              .height = 330};
  if (roc) chart.series.push_back({.name = "chance", .x = {0, 1}, .y = {0, 1}, .mark = Mark::kGuide});
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const std::string area =
        std::isfinite(curves[i].area) ? fmt::format(", area {}", fixed(curves[i].area, 3)) : std::string();
    chart.series.push_back(
        {.name = curves[i].name + area, .x = curves[i].x, .y = curves[i].y, .colour = static_cast<int>(i)});
  }
  return chart;
}

std::string in_grid(const std::string& left, const std::string& right) {
  return left.empty() && right.empty() ? std::string() : "<div class=\"pair\">" + left + right + "</div>\n";
}

}  // namespace

std::string learning_curves(const ReportData& data) {
  if (data.history.steps.empty() && data.history.evals.empty()) return {};
  const Chart accuracy = accuracy_chart(data);
  const bool only_chance = accuracy.series.size() == 1 && accuracy.series[0].mark == Mark::kGuide;
  return in_grid(only_chance ? std::string() : render_chart(accuracy), render_chart(loss_chart(data.history, data.words)));
}

std::string rate_curves(const ReportData& data) {
  return in_grid(data.roc.empty() ? std::string() : render_chart(rate_chart(data.roc, Rates::kRoc)),
                 data.precision_recall.empty()
                     ? std::string()
                     : render_chart(rate_chart(data.precision_recall, Rates::kPrecisionRecall)));
}

}  // namespace innerloop::io::report
