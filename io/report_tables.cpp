// The tables of the report.
#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "io/html.h"
#include "io/report_parts.h"
#include "tensor/error.h"

namespace innerloop::io::report {

std::string fixed(double value, int decimals) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : std::string("–");
}

std::string confusion_table(const ConfusionMatrix& confusion) {
  const std::size_t n = confusion.classes.size();
  IL_CHECK(confusion.counts.size() == n * n,
           "report: the confusion matrix has {} counts for {} classes; give one for each pair", confusion.counts.size(), n);
  if (n == 0) return {};
  std::string html = fmt::format(
      "<figure><h3>Confusion matrix</h3><div class=\"scroll\"><table class=\"confusion\">"
      "<caption class=\"unseen\">Rows are true classes, columns predicted ones</caption>"
      "<thead><tr><td></td><th scope=\"colgroup\" colspan=\"{}\">predicted</th></tr><tr><th scope=\"col\">true</th>", n);
  for (const std::string& name : confusion.classes) html += fmt::format("<th scope=\"col\">{}</th>", escape_html(name));
  html += "</tr></thead><tbody>";
  for (std::size_t row = 0; row < n; ++row) {
    html += fmt::format("<tr><th scope=\"row\">{}</th>", escape_html(confusion.classes[row]));
    const auto begin = confusion.counts.begin() + static_cast<std::ptrdiff_t>(row * n);
    const std::int64_t total = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(n), std::int64_t{0});
    for (std::size_t column = 0; column < n; ++column) {
      const std::int64_t count = confusion.counts[row * n + column];
      const double share = total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0;
      html += fmt::format("<td class=\"{}{}\" style=\"--share:{:.3f}\"><b>{}</b><small>{:.1f}%</small></td>",
                          row == column ? "right" : "wrong", share > 0.55 ? " strong" : "", share, with_separators(count),
                          share * 100);
    }
    html += "</tr>";
  }
  return html + "</tbody></table></div><figcaption>Each share is of its row: all images of one true class."
                "</figcaption></figure>\n";
}

std::string score_table(const std::vector<ClassScore>& scores) {
  if (scores.empty()) return {};
  std::string html =
      "<figure><h3>By class</h3><div class=\"scroll\"><table class=\"scores\">"
      "<caption class=\"unseen\">Scores of each class</caption><thead><tr><th scope=\"col\">class</th>"
      "<th scope=\"col\">precision</th><th scope=\"col\">recall</th><th scope=\"col\">F1</th>"
      "<th scope=\"col\">images</th></tr></thead><tbody>";
  for (const ClassScore& score : scores) {
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                        escape_html(score.name), fixed(score.precision, 3), fixed(score.recall, 3), fixed(score.f1, 3),
                        with_separators(score.support));
  }
  return html + "</tbody></table></div></figure>\n";
}

}  // namespace innerloop::io::report
