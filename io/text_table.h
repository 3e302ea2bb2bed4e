// TextTable: a small table of words and figures, for a page, for Markdown and for whoever pastes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace innerloop::io {

enum class RowKind : std::uint8_t {
  kPlain,
  kStrong,  ///< the one that the table is about
};

enum class TableKind : std::uint8_t {
  kFigures,  ///< columns but the first stand right and do not break
  kWords,    ///< sentences, which break
};

struct TextRow {
  std::vector<std::string> cells;
  RowKind kind = RowKind::kPlain;
};

struct TextTable {
  std::string title;
  std::vector<std::string> header;  ///< the first column names the row
  std::vector<TextRow> rows;
  TableKind kind = TableKind::kFigures;
  std::string note = {};  ///< a line below, in plain text
};

/// An HTML figure that scrolls sideways where it is too wide. Empty for a table without rows. Throws Error when a row
/// has more or fewer cells than the header.
std::string render_html(const TextTable& table);

/// A heading of the third level, the table, the note. A '|' in a cell is escaped. Errors as above.
std::string render_markdown(const TextTable& table);

}  // namespace innerloop::io
