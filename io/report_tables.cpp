// The tables of the report.
#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <span>

#include "io/html.h"
#include "io/report_parts.h"
#include "tensor/error.h"

namespace innerloop::io::report {

std::string fixed(double value, int decimals) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : std::string("–");
}

namespace {

/// Above this many classes a table takes a row of the page to itself, and the matrix drops its percentages.
constexpr std::size_t kMaxSpacious = 6;

std::string_view layout(std::size_t classes) { return classes > kMaxSpacious ? " class=\"dense\"" : ""; }

enum class Verdict { kRight, kWrong };

/// One count of the confusion matrix, shaded by its share of the `total` images of its true class.
std::string cell(std::int64_t count, std::int64_t total, Verdict verdict) {
  // From here on the shade is too deep for the page's ink.
  constexpr double kDeep = 0.8;
  const double share = total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0;
  return fmt::format("<td class=\"{}{}{}\" style=\"--share:{:.3f}\"><b>{}</b><small>{:.1f}\u202F%</small></td>",
                     verdict == Verdict::kRight ? "right" : "wrong", share >= kDeep ? " strong" : "",
                     count == 0 ? " zero" : "", share, with_separators(count), share * 100);
}

/// The unweighted mean over the classes; a class without a score leaves the mean without one.
std::string mean_row(const std::vector<ClassScore>& scores) {
  ClassScore mean{.precision = 0, .recall = 0, .f1 = 0};
  const auto n = static_cast<double>(scores.size());
  for (const ClassScore& score : scores) {
    mean.precision += score.precision / n;
    mean.recall += score.recall / n;
    mean.f1 += score.f1 / n;
    mean.support += score.support;
  }
  return fmt::format(
      "<tfoot><tr><th scope=\"row\">mean of classes</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr></tfoot>",
      fixed(mean.precision, 3), fixed(mean.recall, 3), fixed(mean.f1, 3), with_separators(mean.support));
}

}  // namespace

std::string confusion_table(const ConfusionMatrix& confusion, std::string_view title) {
  const std::size_t n = confusion.classes.size();
  IL_CHECK(confusion.counts.size() == n * n,
           "report: the confusion matrix has {} counts for {} classes; give one for each pair", confusion.counts.size(),
           n);
  if (n == 0) return {};
  std::string html = fmt::format(
      "<figure{1}><h3>{2}</h3><div class=\"scroll\"><table class=\"confusion\" style=\"--n:{0}\">"
      "<caption class=\"unseen\">Rows are true classes, columns predicted ones</caption>"
      "<thead><tr><td></td><th scope=\"colgroup\" colspan=\"{0}\">predicted</th></tr><tr><th scope=\"col\">true</th>",
      n, layout(n), escape_html(title));
  for (const std::string& name : confusion.classes) html += fmt::format("<th scope=\"col\">{}</th>", escape_html(name));
  html += "</tr></thead><tbody>";
  for (std::size_t row = 0; row < n; ++row) {
    html += fmt::format("<tr><th scope=\"row\">{}</th>", escape_html(confusion.classes[row]));
    const std::span counts(confusion.counts.data() + row * n, n);
    const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    for (std::size_t column = 0; column < n; ++column)
      html += cell(counts[column], total, row == column ? Verdict::kRight : Verdict::kWrong);
    html += "</tr>";
  }
  return html +
         "</tbody></table></div><figcaption>Shares and shades are of the row: all images of one true class."
         "</figcaption></figure>\n";
}

std::string score_table(const std::vector<ClassScore>& scores) {
  if (scores.empty()) return {};
  std::string html = fmt::format(
      "<figure{}><h3>By class</h3><div class=\"scroll\"><table class=\"scores\">"
      "<caption class=\"unseen\">Scores of each class</caption><thead><tr><th scope=\"col\">class</th>"
      "<th scope=\"col\">precision</th><th scope=\"col\">recall</th><th scope=\"col\">F1</th>"
      "<th scope=\"col\">images</th></tr></thead><tbody>",
      layout(scores.size()));
  for (const ClassScore& score : scores) {
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                        escape_html(score.name), fixed(score.precision, 3), fixed(score.recall, 3), fixed(score.f1, 3),
                        with_separators(score.support));
  }
  html += "</tbody>";
  if (scores.size() > 1) html += mean_row(scores);
  return html + "</table></div></figure>\n";
}

}  // namespace innerloop::io::report
