#include "io/text_table.h"

#include <fmt/format.h>

#include "io/html.h"
#include "tensor/error.h"

namespace innerloop::io {
namespace {

void check(const TextTable& table) {
  for (const TextRow& row : table.rows)
    IL_CHECK(row.cells.size() == table.header.size(),
             "table '{}': a row of {} cells under a header of {}; give as many", table.title, row.cells.size(),
             table.header.size());
}

std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

std::string render_html(const TextTable& table) {
  check(table);
  if (table.rows.empty()) return {};
  std::string html =
      fmt::format("<figure><h3>{}</h3><div class=\"scroll\"><table class=\"{}\"><thead><tr>", escape_html(table.title),
                  table.kind == TableKind::kFigures ? "scores figures" : "files words");
  for (const std::string& cell : table.header) html += fmt::format("<th scope=\"col\">{}</th>", escape_html(cell));
  html += "</tr></thead><tbody>";
  for (const TextRow& row : table.rows) {
    html += row.kind == RowKind::kStrong ? "<tr class=\"lead\">" : "<tr>";
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const std::string cell = escape_html(row.cells[i]);
      html += i == 0 ? "<th scope=\"row\">" + cell + "</th>" : "<td>" + cell + "</td>";
    }
    html += "</tr>";
  }
  html += "</tbody></table></div>";
  if (!table.note.empty()) html += fmt::format("<figcaption>{}</figcaption>", escape_html(table.note));
  return html + "</figure>\n";
}

std::string render_markdown(const TextTable& table) {
  check(table);
  if (table.rows.empty()) return {};
  std::string text = fmt::format("### {}\n\n|", table.title);
  for (const std::string& cell : table.header) text += fmt::format(" {} |", markdown_cell(cell));
  text += "\n|";
  for (std::size_t i = 0; i < table.header.size(); ++i) text += i == 0 ? " --- |" : " ---: |";
  text += "\n";
  for (const TextRow& row : table.rows) {
    text += "|";
    for (const std::string& cell : row.cells)
      text += row.kind == RowKind::kStrong ? fmt::format(" **{}** |", markdown_cell(cell))
                                           : fmt::format(" {} |", markdown_cell(cell));
    text += "\n";
  }
  if (!table.note.empty()) text += "\n" + table.note + "\n";
  return text + "\n";
}

}  // namespace innerloop::io
