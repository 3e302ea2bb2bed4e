// Page: the frame of a self-contained HTML file: title, headlines, cautions, sections. No network, no script; the style
// follows the reader's light or dark preference, and every text that is not marked as HTML is escaped.
#pragma once

#include <string>
#include <vector>

#include "io/report.h"

namespace innerloop::io {

struct PageSection {
  std::string id, heading;
  std::string html;  ///< a section without any is left out
};

struct Page {
  std::string title, subtitle;
  std::vector<Headline> headlines;
  std::vector<std::string> cautions;  ///< beyond the standing one on shortcuts, which is always printed
  std::vector<PageSection> sections;
};

/// UTF-8. The text depends on `page` alone.
std::string render_page(const Page& page);

/// Side by side where the screen is wide enough; empty when all parts are.
std::string side_by_side(const std::vector<std::string>& parts);

/// A paragraph of plain text.
std::string paragraph(const std::string& text);

/// A part of the page that is opened by a click.
std::string folded(const std::string& summary, const std::string& html);

/// The bytes of a PNG file as a figure.
std::string embedded_png(const std::string& png, const std::string& caption);

}  // namespace innerloop::io
