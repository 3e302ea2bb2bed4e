// Chart: a line chart as inline SVG. Colours, fonts and line widths are classes of the page's style sheet, so that one
// drawing serves a light page and a dark one.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace innerloop::io {

struct Range {
  double low = 0, high = 1;
};

/// Round tick positions inside `range`, about `wanted` of them: steps of 1, 2 or 5 times a power of ten.
std::vector<double> nice_ticks(Range range, int wanted);

enum class Mark {
  kLine,
  kDots,   ///< a line with a dot at each point
  kGuide,  ///< a thin dashed line to compare with
};
enum class TickFormat { kNumber, kPercent, kCount };

/// A point with a value that is not finite breaks the line.
struct Series {
  std::string name = {};  ///< in the legend; empty = not there
  std::vector<double> x = {}, y = {};
  std::vector<double> low = {}, high = {};  ///< a band around the line: empty, or as many as there are points
  Mark mark = Mark::kLine;
  int colour = 0;  ///< index into the palette; beyond its end colours repeat and lines are dashed
};
inline constexpr int kPaletteSize = 6;

struct Chart {
  std::string id;          ///< unique in the page
  std::string title = {};  ///< heading of the figure and name of the picture
  std::string x_label = {}, y_label = {};
  TickFormat x_format = TickFormat::kNumber, y_format = TickFormat::kNumber;
  std::optional<Range> x_range = {}, y_range = {};  ///< without: what the points span, y widened to ticks
  double height = 250;                              ///< in units of which the width has 420
  std::string note = {};                            ///< a line below, in plain text
  std::vector<Series> series = {};
};

/// An HTML figure: heading, legend, SVG, note. Empty when no series has a finite point. Throws Error when the lists of
/// a series differ in length.
std::string render_chart(const Chart& chart);

}  // namespace innerloop::io
