#include "io/report.h"

#include <fmt/format.h>

#include <cmath>

#include "io/html.h"
#include "io/report_parts.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

constexpr std::string_view kStandingCaution =
    "The hospital that an image comes from can be a shortcut: scanners, markers and exposure differ between sources, "
    "and "
    "where sources and diagnoses go together a model may tell the hospital apart and not the disease. No number on "
    "this "
    "page is a clinical claim.";

/// More skipped files than this are counted, not listed: a page has to stay readable.
constexpr std::size_t kMaxListed = 200;

std::string section(std::string_view id, std::string_view heading, const std::string& body) {
  if (body.empty()) return {};
  return fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n{2}</section>\n", id, heading, body);
}

std::string header(const ReportData& data) {
  std::string html = fmt::format("<header>\n<h1>{}</h1>\n", escape_html(data.title));
  if (!data.subtitle.empty()) html += fmt::format("<p class=\"subtitle\">{}</p>\n", escape_html(data.subtitle));
  if (!data.headlines.empty()) {
    html += "<dl class=\"headlines\">\n";
    for (const Headline& headline : data.headlines) {
      html += fmt::format("<div><dt>{}</dt><dd><strong>{}</strong>", escape_html(headline.label),
                          escape_html(headline.value));
      if (!headline.note.empty()) html += fmt::format("<span>{}</span>", escape_html(headline.note));
      html += "</dd></div>\n";
    }
    html += "</dl>\n";
  }
  return html + "</header>\n";
}

std::string cautions(const std::vector<std::string>& more) {
  std::string html = fmt::format("<aside aria-label=\"Cautions\">\n<p>{}</p>\n", kStandingCaution);
  for (const std::string& caution : more) html += fmt::format("<p>{}</p>\n", escape_html(caution));
  return html + "</aside>\n";
}

std::string evaluation(const ReportData& data) {
  const std::string confusion = report::confusion_table(data.confusion), scores = report::score_table(data.scores);
  std::string html;
  if (!confusion.empty() || !scores.empty()) html = "<div class=\"pair\">" + confusion + scores + "</div>\n";
  return html + report::rate_curves(data);
}

std::string episodes(const EmbeddedImage& image) {
  if (image.png.empty()) return {};
  const std::string caption = escape_html(image.caption);
  return fmt::format("<figure><img alt=\"{}\" src=\"data:image/png;base64,{}\">{}</figure>\n",
                     caption.empty() ? "Drawn tasks" : caption, base64(image.png),
                     caption.empty() ? std::string() : "<figcaption>" + caption + "</figcaption>");
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
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light "
      "dark\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
      escape_html(data.title), report::style_sheet());
  html += header(data);
  html += cautions(data.cautions);
  html += section("learning", "Learning", report::learning_curves(data));
  html += section("evaluation", "Evaluation", evaluation(data));
  html += section("episodes", "Drawn tasks", episodes(data.episodes));
  html += section("protocol", "Protocol", protocol(data));
  html += section("skipped", "Skipped inputs", skipped(data.skipped));
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace innerloop::io
