#include "io/report.h"

#include <fmt/format.h>

#include <cmath>

#include "io/html.h"
#include "io/page.h"
#include "io/report_parts.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

/// More skipped files than this are counted, not listed: a page has to stay readable.
constexpr std::size_t kMaxListed = 200;

std::string evaluation(const ReportData& data) {
  const std::string confusion = report::confusion_table(data.confusion), scores = report::score_table(data.scores);
  std::string html;
  if (!confusion.empty() || !scores.empty()) html = "<div class=\"pair\">" + confusion + scores + "</div>\n";
  return html + report::rate_curves(data);
}

std::string protocol(const ReportData& data) {
  std::string html;
  if (!data.protocol.empty()) {
    html += "<dl class=\"protocol\">\n";
    for (const ProtocolEntry& entry : data.protocol)
      html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(entry.key), escape_html(entry.value));
    html += "</dl>\n";
  }
  if (!data.config_toml.empty()) {
    html += fmt::format("<details><summary>Configuration</summary><pre>{}</pre></details>\n",
                        escape_html(data.config_toml));
  }
  return html;
}

std::string skipped(const std::vector<UnusedInput>& files) {
  if (files.empty()) return {};
  std::string html = fmt::format(
      "<details><summary>{} {}</summary><div class=\"scroll\"><table class=\"files\"><thead><tr>"
      "<th scope=\"col\">file</th><th scope=\"col\">reason</th></tr></thead><tbody>",
      with_separators(static_cast<std::int64_t>(files.size())), files.size() == 1 ? "file" : "files");
  for (std::size_t i = 0; i < files.size() && i < kMaxListed; ++i) {
    html += fmt::format("<tr><td><code>{}</code></td><td>{}</td></tr>", escape_html(files[i].path),
                        escape_html(files[i].reason));
  }
  html += "</tbody></table></div>";
  if (files.size() > kMaxListed) {
    html += fmt::format("<p>and {} more</p>", with_separators(static_cast<std::int64_t>(files.size() - kMaxListed)));
  }
  return html + "</details>\n";
}

void check(const std::vector<RateCurve>& curves, std::string_view kind) {
  for (const RateCurve& curve : curves) {
    IL_CHECK(curve.x.size() == curve.y.size(),
             "report: the {} curve of '{}' has {} x and {} y values; give as many of each", kind, curve.name,
             curve.x.size(), curve.y.size());
  }
}

}  // namespace

std::string percent_with_interval(double value, double half_width) {
  if (!std::isfinite(value)) return "n/a";
  if (!std::isfinite(half_width)) return fmt::format("{:.1f} %", value * 100);
  return fmt::format("{:.1f} ± {:.1f} %", value * 100, half_width * 100);
}

std::string render_report(const ReportData& data) {
  check(data.roc, "ROC");
  check(data.precision_recall, "precision-recall");
  const std::string drawn =
      data.episodes.png.empty() ? std::string() : embedded_png(data.episodes.png, data.episodes.caption);
  return render_page({.title = data.title,
                      .subtitle = data.subtitle,
                      .headlines = data.headlines,
                      .cautions = data.cautions,
                      .sections = {{"learning", "Learning", report::learning_curves(data)},
                                   {"evaluation", "Evaluation", evaluation(data)},
                                   {"episodes", "Drawn tasks", drawn},
                                   {"protocol", "Protocol", protocol(data)},
                                   {"skipped", "Skipped inputs", skipped(data.skipped)}}});
}

}  // namespace innerloop::io
