#include "io/page.h"

#include <fmt/format.h>

#include "io/html.h"
#include "io/report_parts.h"

namespace innerloop::io {
namespace {

constexpr std::string_view kStandingCaution =
    "The hospital that an image comes from can be a shortcut: scanners, markers and exposure differ between sources, "
    "and where sources and diagnoses go together a model may tell the hospital apart and not the disease. No number on "
    "this page is a clinical claim.";

std::string section(std::string_view id, std::string_view heading, const std::string& body) {
  if (body.empty()) return {};
  return fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n{2}</section>\n", id, heading, body);
}

std::string header(const Page& page) {
  std::string html = fmt::format("<header>\n<h1>{}</h1>\n", escape_html(page.title));
  if (!page.subtitle.empty()) html += fmt::format("<p class=\"subtitle\">{}</p>\n", escape_html(page.subtitle));
  if (!page.headlines.empty()) {
    html += "<dl class=\"headlines\">\n";
    for (const Headline& headline : page.headlines) {
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

}  // namespace

std::string render_page(const Page& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
      "dark\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
      escape_html(page.title), report::style_sheet());
  html += header(page);
  html += cautions(page.cautions);
  for (const PageSection& s : page.sections) html += section(s.id, s.heading, s.html);
  return html + "</main>\n</body>\n</html>\n";
}

std::string side_by_side(const std::vector<std::string>& parts) {
  std::string html;
  for (const std::string& part : parts) html += part;
  return html.empty() ? html : "<div class=\"pair\">" + html + "</div>\n";
}

std::string paragraph(const std::string& text) { return fmt::format("<p class=\"words\">{}</p>\n", escape_html(text)); }

std::string folded(const std::string& summary, const std::string& html) {
  return html.empty() ? html : fmt::format("<details><summary>{}</summary>{}</details>\n", escape_html(summary), html);
}

std::string embedded_png(const std::string& png, const std::string& caption) {
  const std::string text = escape_html(caption);
  return fmt::format("<figure><img alt=\"{}\" src=\"data:image/png;base64,{}\">{}</figure>\n",
                     text.empty() ? "Drawn tasks" : text, base64(png),
                     text.empty() ? std::string() : "<figcaption>" + text + "</figcaption>");
}

}  // namespace innerloop::io
