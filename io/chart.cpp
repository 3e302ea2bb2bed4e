#include "io/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "io/html.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

constexpr double kWidth = 420;
constexpr double kLeft = 52, kRight = 12, kTop = 26, kBottom = 38;

/// Where data coordinates lie in the picture.
struct Frame {
  Range x, y;
  double height;

  double right() const { return kWidth - kRight; }
  double bottom() const { return height - kBottom; }
  double px(double v) const { return kLeft + (v - x.low) / (x.high - x.low) * (right() - kLeft); }
  double py(double v) const { return bottom() - (v - y.low) / (y.high - y.low) * (bottom() - kTop); }
};

bool has_band(const Series& series) { return !series.low.empty(); }

bool finite_point(const Series& series, std::size_t i) {
  return std::isfinite(series.x[i]) && std::isfinite(series.y[i]);
}

bool finite_band(const Series& series, std::size_t i) {
  return std::isfinite(series.x[i]) && std::isfinite(series.low[i]) && std::isfinite(series.high[i]);
}

void check_lengths(const Chart& chart) {
  for (const Series& s : chart.series) {
    const bool fits =
        s.x.size() == s.y.size() && s.low.size() == s.high.size() && (s.low.empty() || s.low.size() == s.x.size());
    IL_CHECK(fits, "report: the series '{}' of '{}' has {} x, {} y, {} low and {} high values; give as many of each",
             s.name, chart.title, s.x.size(), s.y.size(), s.low.size(), s.high.size());
  }
}

/// The least and greatest finite value seen.
struct Extent {
  double low = INFINITY, high = -INFINITY;
  void add(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  bool empty() const { return low > high; }
};

/// `extent` widened to the ticks around it, so that no point sits on the frame's edge by accident.
Range widen(const Extent& extent) {
  double low = extent.low, high = extent.high;
  if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) {
    const double pad = low == 0 ? 1 : std::abs(low) * 0.5;
    low -= pad;
    high += pad;
  }
  const std::vector<double> ticks = nice_ticks({low, high}, 5);
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : high - low;
  const double floor = std::floor(low / step + 1e-9) * step;
  return {low >= 0 ? std::max(floor, 0.0) : floor, std::ceil(high / step - 1e-9) * step};
}

std::string tick_text(double value, double step, TickFormat format) {
  if (format == TickFormat::kCount) return with_separators(std::llround(value));
  const double shown = format == TickFormat::kPercent ? value * 100 : value;
  const double shown_step = format == TickFormat::kPercent ? step * 100 : step;
  const double magnitude = std::max(std::abs(shown), shown_step);
  if (magnitude >= 1e6 || magnitude < 1e-4) return fmt::format("{:.3g}", shown);
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(shown_step) - 1e-9)), 0, 6);
  const std::string number = fmt::format("{:.{}f}", shown == 0 ? 0.0 : shown, decimals);
  return format == TickFormat::kPercent ? number + "\u202F%" : number;
}

std::string draw_axes(const Chart& chart, const Frame& frame) {
  std::string svg;
  const std::vector<double> ys = nice_ticks(frame.y, frame.height > 300 ? 6 : 5);
  const double y_step = ys.size() > 1 ? ys[1] - ys[0] : 1;
  for (double v : ys) {
    const double y = frame.py(v);
    svg += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft,
                       frame.right(), y, y);
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 7, y + 4,
                       tick_text(v, y_step, chart.y_format));
  }
  const std::vector<double> xs = nice_ticks(frame.x, 5);
  const double x_step = xs.size() > 1 ? xs[1] - xs[0] : 1;
  svg += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft,
                     frame.right(), frame.bottom(), frame.bottom());
  for (double v : xs) {
    const double x = frame.px(v);
    // A label at the right edge would be cut off if it were centred.
    const bool last = x > frame.right() - 14;
    svg += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", x,
                       frame.bottom(), frame.bottom() + 4);
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>",
                       last ? frame.right() + 6 : x, frame.bottom() + 17, last ? "end" : "middle",
                       tick_text(v, x_step, chart.x_format));
  }
  svg += fmt::format("<text class=\"name\" x=\"0\" y=\"13\">{}</text>", escape_html(chart.y_label));
  svg += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", frame.right() + 6,
                     frame.height - 5, escape_html(chart.x_label));
  return svg;
}

/// The path through the points; those that a reader could not tell from the one before are left out.
std::string line_path(const Series& series, const Frame& frame) {
  constexpr double kIndistinguishable = 0.3;
  std::string path;
  bool pen_down = false;
  double last_x = 0, last_y = 0;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (!finite_point(series, i)) {
      pen_down = false;
      continue;
    }
    const double x = frame.px(series.x[i]), y = frame.py(series.y[i]);
    const bool final_point = i + 1 == series.x.size();
    if (pen_down && !final_point && std::hypot(x - last_x, y - last_y) < kIndistinguishable) continue;
    path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x, y);
    pen_down = true;
    last_x = x;
    last_y = y;
  }
  return path;
}

/// The band as one polygon for each run of finite points; a run of one point becomes a whisker.
std::string draw_band(const Series& series, const Frame& frame, const std::string& colour) {
  std::string svg;
  for (std::size_t begin = 0; begin < series.x.size();) {
    std::size_t end = begin;
    while (end < series.x.size() && finite_band(series, end)) ++end;
    if (end - begin == 1) {
      svg += fmt::format("<path class=\"whisker {}\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", colour, frame.px(series.x[begin]),
                         frame.py(series.low[begin]), frame.py(series.high[begin]));
    } else if (end > begin) {
      std::string path;
      for (std::size_t i = begin; i < end; ++i)
        path += fmt::format("{}{:.1f} {:.1f}", i == begin ? "M" : "L", frame.px(series.x[i]), frame.py(series.high[i]));
      for (std::size_t i = end; i-- > begin;)
        path += fmt::format("L{:.1f} {:.1f}", frame.px(series.x[i]), frame.py(series.low[i]));
      svg += fmt::format("<path class=\"band {}\" d=\"{}Z\"/>", colour, path);
    }
    begin = end + 1;
  }
  return svg;
}

std::string classes_of(const Series& series) {
  if (series.mark == Mark::kGuide) return "guide";
  return fmt::format("s{}{}", series.colour % kPaletteSize, series.colour >= kPaletteSize ? " dashed" : "");
}

std::string draw_series(const Series& series, const Frame& frame) {
  const std::string classes = classes_of(series);
  std::string svg = fmt::format("<path class=\"line {}\" d=\"{}\"/>", classes, line_path(series, frame));
  if (series.mark != Mark::kDots) return svg;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (!finite_point(series, i)) continue;
    svg += fmt::format("<circle class=\"dot {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", classes, frame.px(series.x[i]),
                       frame.py(series.y[i]));
  }
  return svg;
}

std::string draw_legend(const Chart& chart) {
  std::string items;
  for (const Series& series : chart.series) {
    if (series.name.empty()) continue;
    items += fmt::format(
        "<li><svg viewBox=\"0 0 18 8\" aria-hidden=\"true\"><path class=\"line {}\" d=\"M1 4H17\"/>{}</svg>{}</li>",
        classes_of(series),
        series.mark == Mark::kDots
            ? fmt::format("<circle class=\"dot {}\" cx=\"9\" cy=\"4\" r=\"3\"/>", classes_of(series))
            : std::string(),
        escape_html(series.name));
  }
  return items.empty() ? items : "<ul class=\"legend\">" + items + "</ul>";
}

}  // namespace

std::vector<double> nice_ticks(Range range, int wanted) {
  const double span = range.high - range.low;
  if (!(span > 0) || !std::isfinite(span) || wanted < 1) return {};
  const double rough = span / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double ratio = rough / power;
  const double step = power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  // Counting in whole steps keeps rounding from piling up; the slack takes in ends that rounding moved.
  const double first = std::ceil(range.low / step - 1e-9), last = std::floor(range.high / step + 1e-9);
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string render_chart(const Chart& chart) {
  check_lengths(chart);
  Extent x, y;
  std::string names;
  for (const Series& series : chart.series) {
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!finite_point(series, i)) continue;
      if (series.mark != Mark::kGuide) x.add(series.x[i]);
      y.add(series.y[i]);
      if (has_band(series) && finite_band(series, i)) {
        y.add(series.low[i]);
        y.add(series.high[i]);
      }
    }
    if (!series.name.empty()) names += (names.empty() ? "" : "; ") + series.name;
  }
  if (x.empty() || y.empty()) return {};
  Frame frame{chart.x_range.value_or(Range{x.low, x.high}), chart.y_range.value_or(widen(y)), chart.height};
  if (!(frame.x.high > frame.x.low)) frame.x = {frame.x.low - 1, frame.x.low + 1};

  std::string plot;
  for (const Series& series : chart.series) {
    if (has_band(series)) plot += draw_band(series, frame, classes_of(series));
  }
  for (const Series& series : chart.series) plot += draw_series(series, frame);
  return fmt::format(
      "<figure class=\"chart\"><h3 id=\"{0}-h\">{1}</h3>{2}"
      "<svg viewBox=\"0 0 {3:.0f} {4:.0f}\" role=\"img\" aria-labelledby=\"{0}-t {0}-d\">"
      "<title id=\"{0}-t\">{1}</title><desc id=\"{0}-d\">{5} against {6}: {7}</desc>{8}{9}</svg>{10}</figure>\n",
      escape_html(chart.id), escape_html(chart.title), draw_legend(chart), kWidth, chart.height,
      escape_html(chart.y_label), escape_html(chart.x_label), escape_html(names), draw_axes(chart, frame), plot,
      chart.note.empty() ? std::string() : "<figcaption>" + escape_html(chart.note) + "</figcaption>");
}

}  // namespace innerloop::io
