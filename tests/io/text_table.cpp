// Tables as HTML and Markdown, and the frame of a page.
#include "io/text_table.h"

#include <gtest/gtest.h>

#include "io/page.h"
#include "tensor/error.h"
#include "tests/io/text.h"

namespace innerloop::io {
namespace {

TextTable sample_table() {
  return {.title = "A <table>",
          .header = {"who", "score"},
          .rows = {{{"a|b", "0.5"}}, {{"<c>", "0.7"}, RowKind::kStrong}},
          .note = "A & B"};
}

TEST(TextTable, IsEscapedInHtml) {
  const std::string html = render_html(sample_table());
  for (const char* part :
       {"A &lt;table&gt;", "<th scope=\"row\">&lt;c&gt;</th><td>0.7</td>", "A &amp; B", "class=\"lead\""})
    EXPECT_TRUE(contains(html, part)) << part << " in " << html;
  EXPECT_FALSE(contains(html, "<c>"));
}

TEST(TextTable, IsATableInMarkdown) {
  EXPECT_EQ(render_markdown(sample_table()),
            "### A <table>\n\n| who | score |\n| --- | ---: |\n| a\\|b | 0.5 |\n| **<c>** | **0.7** |\n\nA & B\n\n");
}

TEST(TextTable, IsNothingWithoutRowsAndRefusesRaggedOnes) {
  TextTable table = sample_table();
  table.rows.push_back({{"one cell"}});
  EXPECT_THROW(render_html(table), Error);
  EXPECT_THROW(render_markdown(table), Error);
  table.rows.clear();
  EXPECT_EQ(render_html(table), "");
  EXPECT_EQ(render_markdown(table), "");
}

TEST(Page, LeavesEmptySectionsOutAndEscapesWords) {
  const std::string html = render_page({.title = "T < 1",
                                        .subtitle = "",
                                        .headlines = {{"L", "V"}},
                                        .cautions = {"beware & look"},
                                        .sections = {{"one", "One", paragraph("a < b")}, {"two", "Two", ""}}});
  for (const char* part :
       {"<title>T &lt; 1</title>", "beware &amp; look", "<h2 id=\"one\">One</h2>", "a &lt; b", "clinical claim"})
    EXPECT_TRUE(contains(html, part)) << part;
  EXPECT_FALSE(contains(html, "id=\"two\""));
  EXPECT_EQ(side_by_side({"", ""}), "");
  EXPECT_EQ(folded("s", ""), "");
}

}  // namespace
}  // namespace innerloop::io
